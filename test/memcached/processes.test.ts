import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ask } from "../helpers/server-process.js";
import { type Server, startMemcached } from "../helpers/servers.js";
import { newClaim } from "./claims.js";
import type { Orders, Outcome } from "./hammer.js";
import { openByUri } from "./roads.js";

const PROCESSES = 4;
const root = fileURLToPath(new URL("../..", import.meta.url));

let server: Server;
let folder: string;
beforeAll(async () => {
  server = await startMemcached();
  folder = mkdtempSync(join(root, "node_modules/.cache-hammer-"));
  await build({
    entryPoints: [fileURLToPath(new URL("hammer.ts", import.meta.url))],
    outfile: join(folder, "hammer.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    logLevel: "error",
  });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.stop();
});
beforeEach(async () => {
  await ask(server.port, "flush_all\r\n");
});

async function hammerFromAll(orders: Partial<Orders>): Promise<Outcome> {
  const children: ChildProcess[] = Array.from({ length: PROCESSES }, () => fork(join(folder, "hammer.mjs")));
  const outcomes = children.map(async (child): Promise<Outcome> => {
    const [outcome] = await once(child, "message");
    return outcome;
  });
  for (const child of children) {
    child.send({
      port: server.port,
      overClient: false,
      strategy: "fixed-window",
      amounts: [1000],
      hits: 1000,
      inFlight: 64,
      refundEvery: 0,
      ...orders,
    } satisfies Orders);
  }
  const done = await Promise.all(outcomes);
  return {
    admitted: done.reduce((sum, { admitted }) => sum + admitted, 0),
    failed: done.reduce((sum, { failed }) => sum + failed, 0),
  };
}

async function left(amount: number, strategy: Orders["strategy"]): Promise<number> {
  const { storage, close } = await openByUri(server.port);
  const [verdict] = await storage.test([newClaim({ amount, unit: "day", strategy })]);
  await close();
  return verdict!.remaining;
}

describe("four processes with 64 hits in flight each", () => {
  it.each(STRATEGY_NAMES)("admit exactly the amount by %s", async (strategy) => {
    expect(await hammerFromAll({ strategy })).toEqual({ admitted: 1000, failed: 0 });
  });

  it.each(STRATEGY_NAMES)("admit exactly the amount by %s over the package's client", async (strategy) => {
    expect(await hammerFromAll({ strategy, overClient: true })).toEqual({ admitted: 1000, failed: 0 });
  });

  it("never admit more than the narrowest of several limits, and charge only what was admitted", async () => {
    const { admitted, failed } = await hammerFromAll({ amounts: [5000, 300, 800] });
    expect(failed).toBe(0);
    expect(admitted).toBeLessThanOrEqual(300);
    expect(admitted).toBeGreaterThan(290);
    expect(await left(5000, "fixed-window")).toBe(5000 - admitted);
    expect(await left(800, "fixed-window")).toBe(800 - admitted);
  });

  it("admit every one of the hits that fit exactly into three limits", async () => {
    expect(await hammerFromAll({ amounts: [6000, 4000, 5000] })).toEqual({ admitted: 4000, failed: 0 });
    expect(await left(6000, "fixed-window")).toBe(2000);
    expect(await left(4000, "fixed-window")).toBe(0);
    expect(await left(5000, "fixed-window")).toBe(1000);
  });

  it("never admit more than the narrowest of three limits while every third hit is given back", async () => {
    const { admitted, failed } = await hammerFromAll({ amounts: [5000, 300, 800], refundEvery: 3 });
    expect(failed).toBe(0);
    expect(admitted).toBeLessThanOrEqual(300);
    expect(await left(5000, "fixed-window")).toBe(5000 - admitted);
    expect(await left(300, "fixed-window")).toBe(300 - admitted);
  });

  it.each(STRATEGY_NAMES)("never admit more by %s while every third hit is given back", async (strategy) => {
    const { admitted, failed } = await hammerFromAll({ strategy, amounts: [400], refundEvery: 3 });
    expect(failed).toBe(0);
    expect(admitted).toBeLessThanOrEqual(400);
    const remaining = await left(400, strategy);
    // What comes back to a token bucket out of order may be less: what might have leaked stays spent.
    if (strategy === "token-bucket") expect(remaining).toBeLessThanOrEqual(400 - admitted);
    else expect(remaining).toBe(400 - admitted);
  });
});
