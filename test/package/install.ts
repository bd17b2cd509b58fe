import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { inject, onTestFinished } from "vitest";

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

const execute = promisify(execFile);

/** What a user's project has besides express-limits. No ioredis and no memcached: they are optional. */
const installed = ["express", "ms", "@types"];

/**
 * Makes a project outside the repository that has the packed express-limits installed, without a network.
 *
 * @param consumer a folder of `consumers/` to start from; without it the project is empty
 * @returns the project's folder, removed when the test is over
 */
export async function installPackage(consumer?: string): Promise<string> {
  const project = mkdtempSync(join(tmpdir(), "express-limits-consumer-"));
  onTestFinished(() => rmSync(project, { recursive: true, force: true }));
  if (consumer !== undefined)
    cpSync(join(root, "test/package/consumers", consumer), project, { recursive: true });

  const target = join(project, "node_modules", "express-limits");
  mkdirSync(target, { recursive: true });
  await execute("tar", ["-xzf", inject("tarball"), "-C", target, "--strip-components=1"]);
  for (const name of installed) {
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name), "dir");
  }
  return project;
}

/** Runs a program in `cwd` and gives what it printed. Rejects, with all it said, when it fails. */
export async function run(cwd: string, program: string, ...args: readonly string[]): Promise<string> {
  try {
    return (await execute(program, args, { cwd, encoding: "utf8" })).stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

/** The path of a program of the repository's `node_modules/.bin`. */
export function bin(name: string): string {
  return join(root, "node_modules", ".bin", name);
}
