import { expect, test } from "vitest";
import type { Claim, HitOptions } from "../../src/core/storage.js";
import { type TokenBucketState, tokenBucket } from "../../src/core/strategies/token-bucket.js";
import type { Verdict } from "../../src/core/strategy.js";
import { startRedis } from "../helpers/servers.js";
import { claim, policy } from "./claims.js";
import { forAllTests, openClient, openStorage } from "./connections.js";

const redis = forAllTests(startRedis);

const DAY_MS = 86_400_000;

/** Buckets whose ticks outgrow a double's digits: they are full in years, or it is years from now. */
const BUCKETS = [
  { of: policy("token-bucket", 99_991), from: 3357 * DAY_MS },
  { of: policy("token-bucket", 77_777, 1, "minute", 10), from: 3357 * DAY_MS },
  { of: policy("token-bucket", 99_991, 1, "year", 599_999), from: 1042 * DAY_MS },
  { of: policy("token-bucket", 1, 1, "year", 2 ** 53 - 1), from: 1042 * DAY_MS },
];
const CASES = BUCKETS.flatMap((bucket) => (["all", "each"] as const).map((mode) => ({ ...bucket, mode })));

test.each(CASES)(
  "a bucket of $of.id, $from ms from the start, mode $mode, admits and says what its step does",
  async ({ of, from, mode }) => {
    const client = openClient((await redis()).port);
    let now = from;
    const storage = openStorage(client, { denyCacheMs: 0, clock: { now: () => now } });
    for (const cost of [of.capacity, of.capacity - 1, Math.floor(of.capacity / 3), 1]) {
      const one = claim(of, { cost });
      let state: TokenBucketState | undefined;
      for (let i = 0; i < 12; i++, now += 7) {
        const step = tokenBucket.hit(state, of, cost, now);
        state = step.state;
        expect(await told(one, mode)).toEqual(said(step));
      }
    }

    async function told(one: Claim, how: HitOptions["mode"]): Promise<unknown> {
      const [verdict] = await storage.hit([one], { mode: how });
      return verdict && said(verdict);
    }
  },
);

/** A receipt is of use where something was charged. */
function said({ allowed, remaining, resetAfterMs, retryAfterMs, receipt, refundsSeen }: Verdict): unknown {
  const verdict = { allowed, remaining, resetAfterMs, retryAfterMs };
  return allowed ? { ...verdict, receipt, refundsSeen } : verdict;
}
