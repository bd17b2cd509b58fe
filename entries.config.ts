import { readFileSync } from "node:fs";

/** A door of the package: `"./core"` is built from `src/core/index.ts` to `dist/core/index.*`. */
export interface Entry {
  /** As in package.json: `"."`, `"./core"`. */
  readonly subpath: string;
  /** As users write it: `"express-limits"`, `"express-limits/core"`. */
  readonly specifier: string;
  readonly source: string;
  /** Below `dist/`, without extension. */
  readonly output: string;
}

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly typesVersions: { readonly "*": Readonly<Record<string, readonly string[]>> };
}

export const packageJson: PackageJson = JSON.parse(
  readFileSync(new URL("package.json", import.meta.url), "utf8"),
);

/** The `exports` of package.json, the one list of entry points: build and tests take it from here. */
export const entries: readonly Entry[] = Object.keys(packageJson.exports)
  .filter((subpath) => subpath !== "./package.json")
  .map((subpath) => {
    const folder = subpath.slice("./".length);
    const output = folder === "" ? "index" : `${folder}/index`;
    const specifier = folder === "" ? packageJson.name : `${packageJson.name}/${folder}`;
    return { subpath, specifier, source: `src/${output}.ts`, output };
  });
