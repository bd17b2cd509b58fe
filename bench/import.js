// What it takes to load the root entry: time in a fresh process, and size as a bundler sees it.
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
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

const specifierOf = (name) => import.meta.resolve(name);
const candidates = [
  { name: EMPTY, code: "" },
  { name: "floor: node:http", code: "await import('node:http')" },
  { name: OURS, code: `await import('${pathToFileURL(entryFile("."))}')` },
  ...["express-rate-limit", "rate-limiter-flexible", "@fastify/rate-limit", "express"].map((name) => ({
    name,
    code: `await import('${specifierOf(name)}')`,
  })),
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
  const wanted = [...loadedAtStart(metafile.outputs, `out/${basename(file)}`)].map((path) =>
    join(dirname(file), path),
  );
  const contents = outputFiles.filter(({ path }) => wanted.includes(path)).map((output) => output.contents);
  return gzipSync(Buffer.concat(contents)).byteLength / 1024;
}

const measured = await alternate(candidates, choose(21, 5), load);
const empty = measured.get(EMPTY);
const rows = candidates.map(({ name }) => {
  const { ms, cpuMs } = measured.get(name);
  return [name, spread(ms, 1), number(median(minus(cpuMs, empty.cpuMs)), 1)];
});
const kb = await gzipKb(entryFile("."));
const ms = median(measured.get(OURS).ms);
await publish({
  markdown: `${table(["", "import ms", "CPU ms over an empty process"], rows)}\n\nThe root entry, bundled with its one dependency and minified: ${number(kb, 1)} KB gzipped.`,
  figures: [
    figure("import of the root entry", ms, { most: 12, text: `${number(ms, 1)} ms` }),
    figure("size of the root entry, gzipped", kb, { most: 15, text: `${number(kb, 1)} KB` }),
  ],
});
