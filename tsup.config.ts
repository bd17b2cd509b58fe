import { dirname, relative, resolve } from "node:path";
import { defineConfig, type Options } from "tsup";
import { entries, packageJson } from "./entries.config.js";

type Plugin = NonNullable<Options["esbuildPlugins"]>[number];

const SOURCES = resolve("src");
const SHARED = "internal.ts";

/** Folders whose code all entries share. */
const isShared = (file: string): boolean => /^(core|memory)\//.test(file);

const isDoor = (file: string): boolean => entries.some(({ source }) => source === `src/${file}`);

/**
 * One file for each entry, and one, `#internal`, for what they share: so that `instanceof` holds between them, and
 * little has to be opened to load one. What is loaded on demand is an entry, too.
 */
const entriesOverOneFile: Plugin = {
  name: "entries-over-one-file",
  setup(build) {
    build.onResolve({ filter: /^\.{1,2}\// }, ({ importer, kind, path }) => {
      if (kind === "entry-point") return undefined;
      const from = relative(SOURCES, importer);
      const to = relative(SOURCES, resolve(dirname(importer), path)).replace(/\.js$/, ".ts");
      if (kind === "dynamic-import") return { path: `${packageJson.name}/${dirname(to)}`, external: true };
      const isInside = from === SHARED || (isShared(from) && !isDoor(from));
      return isShared(to) && !isDoor(to) && !isInside ? { path: "#internal", external: true } : undefined;
    });
  },
};

const doors = Object.fromEntries(entries.map(({ output, source }) => [output, source]));

export default defineConfig({
  entry: { internal: `src/${SHARED}`, ...doors },
  format: ["esm", "cjs"],
  splitting: false,
  esbuildPlugins: [entriesOverOneFile],
  // Less to read when it is loaded; names and short lines stay, for stack traces.
  minifyWhitespace: true,
  esbuildOptions(options) {
    options.lineLimit = 120;
  },
  // tsup sets `baseUrl`, which TypeScript 6 calls deprecated.
  dts: { entry: doors, compilerOptions: { ignoreDeprecations: "6.0" } },
  target: "node20",
  clean: true,
  treeshake: true,
  removeNodeProtocol: false,
  loader: { ".lua": "text" },
});
