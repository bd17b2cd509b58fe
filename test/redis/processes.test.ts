import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { startRedisCluster } from "../helpers/redis-topologies.js";
import { startRedis } from "../helpers/servers.js";
import { freshClient } from "./claims.js";
import { forAllTests } from "./connections.js";

/** 20 and more for a long run; the race is decided thousands of times in each. */
const RUNS = Number(process.env.EXACTNESS_RUNS ?? 1);
const PROCESSES = 4;
const IN_FLIGHT = 64;

const folder = mkdtempSync(join(tmpdir(), "express-limits-hammer-"));
const program = join(folder, "hammer.cjs");
const redis = forAllTests(startRedis);
const cluster = forAllTests(startRedisCluster);

beforeAll(async () => {
  await build({
    entryPoints: [join(import.meta.dirname, "hammer.ts")],
    bundle: true,
    platform: "node",
    target: "node20",
    loader: { ".lua": "text" },
    outfile: program,
  });
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Starts all processes, lets them go at once, and gives how many hits each was admitted. */
async function hammerFromAll(uri: string, strategy: string, limits: number): Promise<number[]> {
  const who = freshClient();
  const args = [program, uri, strategy, `${limits}`, `${IN_FLIGHT}`, "400", who];
  const processes = Array.from({ length: PROCESSES }, () => {
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    return { child, lines: createInterface(child.stdout) };
  });
  await Promise.all(processes.map(({ lines }) => once(lines, "line")));
  const results = processes.map(async ({ lines }) => once(lines, "line"));
  for (const { child } of processes) child.stdin.write("go\n");
  const printed = await Promise.all(results);
  await Promise.all(processes.map(async ({ child }) => child.exitCode ?? once(child, "exit")));
  return printed.map(([line]) => Number(String(line).replace("admitted ", "")));
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

describe.each(STRATEGY_NAMES)("4 processes with 64 hits in flight on one client, %s", (strategy) => {
  test.each([1, 3])(
    "are admitted exactly as often as %i limits say",
    async (limits) => {
      for (let run = 0; run < RUNS; run++) {
        const admitted = await hammerFromAll((await redis()).uri, strategy, limits);
        // Token buckets refill by one token in three minutes meanwhile.
        expect(sum(admitted)).toBe(500);
      }
    },
    60_000 + RUNS * 3_000,
  );
});

test("on a Cluster too", async () => {
  expect(sum(await hammerFromAll((await cluster()).uri, "moving-window", 3))).toBe(500);
}, 60_000);
