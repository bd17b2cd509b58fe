// The package under test, through its build.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { dist } from "./options.js";

/** The file of an entry: `"."`, `"./redis"`; `undefined` when the package has no such entry. */
export function entryFile(subpath) {
  const file = join(resolve(dist), subpath, "index.js");
  return existsSync(file) ? file : undefined;
}

/** Imports an entry; `undefined` when the package has no such entry. */
export async function importEntry(subpath) {
  const file = entryFile(subpath);
  return file === undefined ? undefined : import(pathToFileURL(file).href);
}

/** Imports the root entry. */
export async function importRoot() {
  const root = await importEntry(".");
  if (root === undefined) throw new Error("The package is not built: npm run build");
  return root;
}
