import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { root } from "./install.js";

/** What the root may weigh, minified and gzipped: everything it loads at start, Redis and Memcached not among it. */
const BUDGET_BYTES = 42.5 * 1024;

type Outputs = Awaited<ReturnType<typeof bundle>>["metafile"]["outputs"];

/** The root entry as a bundler sees it, with what it loads on demand in files of their own. */
function bundle() {
  return build({
    absWorkingDir: root,
    entryPoints: ["dist/index.js"],
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
  });
}

/** A file and those it imports by statement, through any number of steps. */
function loadedAtStart(outputs: Outputs, path: string, seen: Set<string> = new Set()): Set<string> {
  seen.add(path);
  for (const { path: imported, kind, external } of outputs[path]!.imports) {
    if (kind === "import-statement" && !external && !seen.has(imported))
      loadedAtStart(outputs, imported, seen);
  }
  return seen;
}

test(`express-limits weighs at most ${BUDGET_BYTES} bytes`, async () => {
  const { outputFiles, metafile } = await bundle();
  const paths = [...loadedAtStart(metafile.outputs, "out/index.js")].map((path) => join(root, path));
  const loaded = outputFiles.filter(({ path }) => paths.includes(path));

  expect(loaded).toHaveLength(paths.length);
  expect(gzipSync(Buffer.concat(loaded.map(({ contents }) => contents))).byteLength).toBeLessThanOrEqual(
    BUDGET_BYTES,
  );
});
