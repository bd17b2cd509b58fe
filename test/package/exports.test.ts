import { describe, expect, test } from "vitest";
import { entries, packageJson } from "../../entries.config.js";
import { installPackage, run } from "./install.js";

/** The names that a user sees, as the module system of his project gives them. */
async function exportedNames(specifier: string, moduleSystem: "esm" | "cjs"): Promise<string[]> {
  const load = moduleSystem === "esm" ? `await import("${specifier}")` : `require("${specifier}")`;
  const inputType = moduleSystem === "esm" ? "module" : "commonjs";
  const script = `console.log(JSON.stringify(Object.keys(${load})))`;
  const printed = await run(
    await installPackage(),
    process.execPath,
    `--input-type=${inputType}`,
    "-e",
    script,
  );
  return (JSON.parse(printed) as string[]).sort();
}

describe.each(entries)("$specifier", ({ subpath, specifier, output }) => {
  test("exports the same names to import and to require", async () => {
    const names = await exportedNames(specifier, "esm");
    expect(names).toMatchSnapshot();
    expect(await exportedNames(specifier, "cjs")).toEqual(names);
  });

  test("has code and types for import and for require", () => {
    expect(packageJson.exports[subpath]).toEqual({
      import: { types: `./dist/${output}.d.ts`, default: `./dist/${output}.js` },
      require: { types: `./dist/${output}.d.cts`, default: `./dist/${output}.cjs` },
    });
  });
});

test("typesVersions leads older compilers to the types of every subpath", () => {
  const subpaths = entries.filter(({ subpath }) => subpath !== ".");
  const expected = subpaths.map(({ subpath, output }) => [subpath.slice(2), [`./dist/${output}.d.cts`]]);
  expect(packageJson.typesVersions["*"]).toEqual(Object.fromEntries(expected));
});

test("an error class of the CommonJS build knows an error of the ESM build", async () => {
  const script = `
    import { createRequire } from "node:module";
    import { LimitSyntaxError, parseLimit } from "express-limits/core";
    const cjs = createRequire(import.meta.url)("express-limits");
    let caught;
    try { parseLimit("10 per hor"); } catch (error) { caught = error; }
    console.log(caught instanceof LimitSyntaxError, caught instanceof cjs.LimitSyntaxError);`;
  const project = await installPackage();
  expect(await run(project, process.execPath, "--input-type=module", "-e", script)).toBe("true true\n");
});
