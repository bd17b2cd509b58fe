// Runs all benches, or those that are named, one after the other, and prints what they found.
//   npm run bench [-- --quick] [middleware engine ...]
// A full run writes README.md from README.template.md; others do with --write. What was measured is kept in
// results.json, so that a table can be measured anew without all the others.
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { table } from "./lib/markdown.js";
import { isQuick, isWritten, names, passedOn } from "./lib/options.js";

const BENCHES = [
  "middleware",
  "engine",
  "lookup",
  "memory",
  "pause",
  "flood",
  "http",
  "import",
  "redis",
  "memcached",
];

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("..", import.meta.url));
const resultsFile = `${here}results.json`;

function run(command, cwd) {
  console.error(`$ ${command}`);
  const { status } = spawnSync(command, { shell: true, cwd, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) process.exit(status ?? 1);
}

/** The peers, and the package's own build: what a fresh clone has not. */
function prepare() {
  if (!existsSync(`${root}node_modules`)) run("npm ci --no-audit --no-fund", root);
  const installed = `${here}node_modules/.package-lock.json`;
  if (!existsSync(installed)) run("npm ci --no-audit --no-fund", here);
  if (!process.argv.some((argument) => argument.startsWith("--dist"))) run("npm run build --silent", root);
}

/** Runs one bench and gives its tables and figures. */
async function measure(name) {
  const child = fork(`${here}${name}.js`, passedOn, { execArgv: [] });
  let result;
  child.once("message", (message) => {
    result = message;
  });
  const [code] = await once(child, "exit");
  return result ?? { markdown: `Failed with exit code ${code}.`, figures: [], hasFailed: true };
}

const machine = () => {
  const cores = availableParallelism();
  return `${cores} ${cores === 1 ? "core" : "cores"}, Node ${process.version}, ${process.platform} ${process.arch}`;
};

function targets(results) {
  const figures = Object.values(results).flatMap((result) => result.figures);
  const rows = figures.map(({ what, text, target, isMet }) => [what, text, target, isMet ? "yes" : "**no**"]);
  return table(["", "measured", "target", "met"], rows);
}

const SMALL = "with small numbers (a quick run): read the order of magnitude";

function howMeasured(results) {
  const machines = [...new Set(Object.values(results).map((result) => result.on))].join("; ");
  const quick = Object.keys(results).filter((name) => results[name].isQuick);
  return quick.length === 0 ? machines : `${machines}; ${quick.join(", ")} ${SMALL}`;
}

/** What was measured before, with what was measured now in its place, in the order of the page. */
function kept(results) {
  const known = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, "utf8")) : {};
  const all = { ...known, ...results };
  return Object.fromEntries(BENCHES.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
}

function readme(results) {
  const template = readFileSync(`${here}README.template.md`, "utf8");
  const parts = new Map(Object.entries(results).map(([name, { markdown }]) => [name, markdown]));
  parts.set("machine", howMeasured(results));
  parts.set("targets", targets(results));
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => parts.get(name) ?? "");
}

function write(results) {
  const all = kept(results);
  writeFileSync(resultsFile, `${JSON.stringify(all, undefined, 2)}\n`);
  writeFileSync(`${here}README.md`, readme(all));
}

const unknown = names.filter((name) => !BENCHES.includes(name));
if (unknown.length > 0) {
  console.error(`Unknown: ${unknown.join(", ")}. There are: ${BENCHES.join(", ")}.`);
  process.exit(2);
}
prepare();

const on = machine();
const results = {};
for (const name of BENCHES.filter((bench) => names.length === 0 || names.includes(bench))) {
  const startedAt = performance.now();
  const { markdown, figures, hasFailed = false } = await measure(name);
  results[name] = { on, isQuick, markdown, figures, hasFailed };
  console.log(`\n## ${name}\n\n${markdown}`);
  console.error(`(${name}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s)`);
}
console.log(`\n## targets\n\n${howMeasured(results)}\n\n${targets(results)}`);
const hasFailed = Object.values(results).some((result) => result.hasFailed);
if (isWritten || (!isQuick && names.length === 0)) write(results);
process.exit(hasFailed ? 1 : 0);
