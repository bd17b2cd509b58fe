import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import { processPool } from "../helpers/process-pool.js";
import { type Server, startMemcached } from "../helpers/servers.js";
import { newClaim } from "./claims.js";
import type { Orders, Outcome } from "./hammer.js";
import { type OpenedStorage, openByUri } from "./roads.js";

/** The race is decided hundreds of times in each. */
const ROUNDS = Number(process.env.EXACTNESS_RUNS ?? 20);
const PROCESSES = 4;
const ROUND = { hits: 200, inFlight: 64, overClient: false, refundEvery: 0 };

const pool = processPool<Orders, Outcome>(join(import.meta.dirname, "hammer.ts"), PROCESSES);
let server: Server;
let calm: OpenedStorage;
beforeAll(async () => {
  server = await startMemcached();
  calm = await openByUri(server.port, { commandTimeoutMs: 15_000 });
});
afterAll(async () => {
  await calm.close();
  await server.stop();
});

type Choice = Partial<Orders> & Pick<Orders, "strategy" | "amounts">;

/** One round on a fresh key. */
async function play(choice: Choice, round: number): Promise<Outcome & { readonly key: string }> {
  const key = `${JSON.stringify(choice)}-${round}`;
  const done = await pool.play({ ...ROUND, port: server.port, key, ...choice });
  return {
    key,
    admitted: done.reduce((sum, { admitted }) => sum + admitted, 0),
    failed: done.reduce((sum, { failed }) => sum + failed, 0),
  };
}

async function rounds<T>(playOne: (round: number) => Promise<T>): Promise<T[]> {
  const outcomes: T[] = [];
  for (let round = 0; round < ROUNDS; round++) outcomes.push(await playOne(round));
  return outcomes;
}

const claimsOn = ({ amounts, strategy }: Choice, key: string) =>
  amounts.map((amount) => newClaim({ amount, unit: "year", strategy, key }));

const leftOf = async (choice: Choice, key: string) =>
  (await calm.storage.test(claimsOn(choice, key))).map(({ remaining }) => remaining);

/** How many more are admitted, one after the other, when all is quiet. */
async function admittedLater(choice: Choice, key: string): Promise<number> {
  const claims = claimsOn(choice, key);
  for (let admitted = 0; ; admitted++) {
    const verdicts = await calm.storage.hit(claims, ALL_OR_NOTHING);
    if (!verdicts.every(({ allowed }) => allowed)) return admitted;
  }
}

describe("four processes with 64 hits in flight each", { timeout: 60_000 }, () => {
  describe.each([false, true])("over the package's client: %s", (overClient) => {
    it.each(STRATEGY_NAMES)("admit exactly the amount by %s, every time", async (strategy) => {
      const outcomes = await rounds(async (round) => {
        const { admitted, failed } = await play({ strategy, overClient, amounts: [300] }, round);
        return { admitted, failed };
      });
      expect(outcomes).toEqual(Array(ROUNDS).fill({ admitted: 300, failed: 0 }));
    });
  });

  it.each(STRATEGY_NAMES)("admit exactly what the narrowest of three allows by %s", async (strategy) => {
    const choice = { strategy, amounts: [900, 300, 500] };
    await rounds(async (round) => {
      const { key, admitted, failed } = await play(choice, round);
      expect(failed).toBe(0);
      expect(admitted).toBeLessThanOrEqual(300);
      // What was reserved in vain can refuse others for a moment. It is given back, so the rest is still there.
      const later = await admittedLater(choice, key);
      expect(later).toBeLessThan(30);
      if (strategy === "token-bucket") return expect(admitted + later).toBeLessThanOrEqual(300);
      expect(admitted + later).toBe(300);
      expect(await leftOf(choice, key)).toEqual([600, 0, 200]);
    });
  });

  it("admit every one of the hits that fit exactly into three limits", async () => {
    const choice = { strategy: "fixed-window", amounts: [1200, 800, 1000] } as const;
    await rounds(async (round) => {
      const { key, admitted, failed } = await play(choice, round);
      expect({ admitted, failed }).toEqual({ admitted: PROCESSES * ROUND.hits, failed: 0 });
      expect(await leftOf(choice, key)).toEqual([400, 0, 200]);
    });
  });

  it("never admit more than the narrowest of three limits while every third hit is given back", async () => {
    const choice = { strategy: "fixed-window", amounts: [900, 300, 500], refundEvery: 3 } as const;
    await rounds(async (round) => {
      const { key, admitted, failed } = await play(choice, round);
      expect(failed).toBe(0);
      expect(admitted).toBeLessThanOrEqual(300);
      expect(await leftOf(choice, key)).toEqual([900 - admitted, 300 - admitted, 500 - admitted]);
    });
  });

  it.each(STRATEGY_NAMES)("never admit more by %s while every third hit is given back", async (strategy) => {
    const choice = { strategy, amounts: [300], refundEvery: 3 };
    await rounds(async (round) => {
      const { key, admitted, failed } = await play(choice, round);
      expect(failed).toBe(0);
      expect(admitted).toBeLessThanOrEqual(300);
      const [remaining = -1] = await leftOf(choice, key);
      // What comes back to a token bucket out of order may be less: what might have leaked stays spent.
      if (strategy === "token-bucket") expect(remaining).toBeLessThanOrEqual(300 - admitted);
      else expect(remaining).toBe(300 - admitted);
    });
  });
});
