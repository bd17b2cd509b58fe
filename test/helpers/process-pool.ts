import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Processes that live for all tests of a file, and play what they are told, round by round. */
export interface ProcessPool<Orders, Outcome> {
  /** All of them at once; what each made of it. */
  play(orders: Orders): Promise<Outcome[]>;
}

/** A program of the pool answers each message with one. */
export function answerOrders<Orders, Outcome>(play: (orders: Orders) => Promise<Outcome>): void {
  process.on("message", async (orders: Orders) => {
    process.send?.(await play(orders));
  });
  // Nobody is left to tell.
  process.on("disconnect", () => process.exit());
}

/** Bundles a program of ours and starts it so many times before the tests of a file, and ends it after them. */
export function processPool<Orders extends object, Outcome>(
  program: string,
  size: number,
): ProcessPool<Orders, Outcome> {
  let folder: string;
  let children: ChildProcess[] = [];
  beforeAll(async () => {
    folder = mkdtempSync(join(root, "node_modules/.cache-pool-"));
    const outfile = join(folder, "program.mjs");
    await build({
      entryPoints: [program],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      packages: "external",
      loader: { ".lua": "text" },
      logLevel: "error",
    });
    children = Array.from({ length: size }, () => fork(outfile));
  });
  afterAll(async () => {
    await Promise.all(
      children.map(async (child) => {
        const exited = once(child, "exit");
        child.disconnect();
        await exited;
      }),
    );
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    async play(orders) {
      const outcomes = children.map((child) => answer<Outcome>(child));
      for (const child of children) child.send(orders);
      return Promise.all(outcomes);
    },
  };
}

function answer<Outcome>(child: ChildProcess): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`A process of the pool ended with ${code}.`));
    child.once("exit", onExit);
    child.once("message", (outcome) => {
      child.off("exit", onExit);
      resolve(outcome as Outcome);
    });
  });
}
