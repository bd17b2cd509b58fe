import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { processPool } from "../helpers/process-pool.js";
import { startRedisCluster } from "../helpers/redis-topologies.js";
import { startRedis } from "../helpers/servers.js";
import { freshClient } from "./claims.js";
import { forAllTests } from "./connections.js";
import type { Orders } from "./hammer.js";

/** The race is decided hundreds of times in each. */
const ROUNDS = Number(process.env.EXACTNESS_RUNS ?? 20);
const PROCESSES = 4;
const ROUND = { hits: 400, inFlight: 64 };
const AMOUNTS = [500, 700, 900];

const redis = forAllTests(startRedis);
const cluster = forAllTests(startRedisCluster);
const pool = processPool<Orders, number>(join(import.meta.dirname, "hammer.ts"), PROCESSES);

/** How many hits were admitted in each round, of a fresh client each. */
async function playRounds(uri: string, strategy: Orders["strategy"], limits: number): Promise<number[]> {
  const totals: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const who = freshClient();
    const amounts = AMOUNTS.slice(0, limits);
    // Every other time in small script calls, so that those of all processes alternate.
    const maxBatch = round % 2 === 0 ? 128 : 8;
    const admitted = await pool.play({ ...ROUND, uri, strategy, amounts, maxBatch, who });
    totals.push(admitted.reduce((a, b) => a + b, 0));
  }
  return totals;
}

const exactly = Array(ROUNDS).fill(AMOUNTS[0]);

describe.each(STRATEGY_NAMES)("4 processes with 64 hits in flight on one client, %s", (strategy) => {
  test.each([1, 3])(
    "are admitted exactly as often as %i limits say, every time",
    async (limits) => {
      expect(await playRounds((await redis()).uri, strategy, limits)).toEqual(exactly);
    },
    60_000,
  );
});

test("on a Cluster too", async () => {
  expect(await playRounds((await cluster()).uri, "moving-window", 3)).toEqual(exactly);
}, 60_000);
