// What it takes to load the root entry: time in a fresh process, and size as a bundler sees it.
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { alternate } from "./lib/alternate.js";
import { number, spread, table } from "./lib/markdown.js";
import { choose } from "./lib/options.js";
import { figure, publish } from "./lib/report.js";
import { median, minus } from "./lib/stats.js";
import { entryFile } from "./lib/subject.js";

const OURS = "express-limits";
const EMPTY = "nothing";

const files = new Map([
  [OURS, entryFile(".")],
  ...["express-rate-limit", "rate-limiter-flexible", "@fastify/rate-limit", "express"].map((name) => [
    name,
    fileURLToPath(import.meta.resolve(name)),
  ]),
]);
const candidates = [
  { name: EMPTY, code: "" },
  { name: "floor: node:http", code: "await import('node:http')" },
  ...[...files].map(([name, file]) => ({ name, code: `await import('${pathToFileURL(file)}')` })),
];

/** Milliseconds that the import takes, and the CPU time of the whole process. */
async function load({ code }) {
  const script = `const start = performance.now(); ${code}; const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(); console.log(ms, (user + system) / 1000)`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  const [ms, cpuMs] = stdout.trim().split(" ").map(Number);
  return { ms, cpuMs };
}

/** An output of esbuild and those that it imports by statement, through any number of steps. */
function loadedAtStart(outputs, path, seen = new Set()) {
  seen.add(path);
  for (const { path: imported, kind, external } of outputs[path].imports)
    if (kind === "import-statement" && !external && !seen.has(imported))
      loadedAtStart(outputs, imported, seen);
  return seen;
}

/** KB, minified and gzipped, of what an entry loads at start; Express, the clients and what is loaded on demand are not among it. */
async function gzipKb(file) {
  const { build } = createRequire(new URL("../package.json", import.meta.url))("esbuild");
  const { outputFiles, metafile } = await build({
    absWorkingDir: dirname(file),
    entryPoints: [basename(file)],
    bundle: true,
    minify: true,
    splitting: true,
    outdir: "out",
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external: ["express", "ioredis", "memcached"],
    logLevel: "silent",
  });
  const [entry] = Object.entries(metafile.outputs).find(
    ([, { entryPoint }]) => entryPoint === basename(file),
  );
  const wanted = [...loadedAtStart(metafile.outputs, entry)].map((path) => join(dirname(file), path));
  const contents = outputFiles.filter(({ path }) => wanted.includes(path)).map((output) => output.contents);
  return gzipSync(Buffer.concat(contents)).byteLength / 1024;
}

const measured = await alternate(candidates, choose(21, 5), load);
const empty = measured.get(EMPTY);
const sizes = new Map();
for (const [name, file] of files) if (name !== "express") sizes.set(name, await gzipKb(file));
const rows = candidates.map(({ name }) => {
  const { ms, cpuMs } = measured.get(name);
  const size = sizes.has(name) ? number(sizes.get(name), 1) : "-";
  return [name, spread(ms, 1), number(median(minus(cpuMs, empty.cpuMs)), 1), size];
});
const kb = sizes.get(OURS);
const ms = median(measured.get(OURS).ms);
await publish({
  markdown: table(["", "import ms", "CPU ms over an empty process", "KB"], rows),
  figures: [
    figure("import of the root entry", ms, { most: 12, text: `${number(ms, 1)} ms` }),
    figure("size of the root entry, gzipped", kb, { most: 15, text: `${number(kb, 1)} KB` }),
  ],
});
