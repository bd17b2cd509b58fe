import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Path of the packed package, for `inject("tarball")`. */
    readonly tarball: string;
  }
}

let folder: string;

/** Packs what `npm run build` left in `dist/`, once for all tests of the package. */
export function setup(project: TestProject): void {
  folder = mkdtempSync(join(tmpdir(), "express-limits-pack-"));
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const [packed] = JSON.parse(execFileSync("npm", args, { encoding: "utf8" }));
  project.provide("tarball", join(folder, packed.filename));
}

export function teardown(): void {
  rmSync(folder, { recursive: true, force: true });
}
