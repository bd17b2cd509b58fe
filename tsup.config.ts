import { defineConfig } from "tsup";
import { entries } from "./entries.config.js";

export default defineConfig({
  entry: Object.fromEntries(entries.map(({ output, source }) => [output, source])),
  format: ["esm", "cjs"],
  // One shared chunk per format, so that `instanceof` holds between the entry points.
  splitting: true,
  // tsup sets `baseUrl`, which TypeScript 6 calls deprecated.
  dts: { compilerOptions: { ignoreDeprecations: "6.0" } },
  target: "node20",
  clean: true,
  treeshake: true,
  removeNodeProtocol: false,
  loader: { ".lua": "text" },
});
