import type { Redis } from "ioredis";
import { beforeEach, describe, expect, test } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import { startRedis } from "../helpers/servers.js";
import { claim, freshClient, policy } from "./claims.js";
import { forAllTests, openClient, openStorage } from "./connections.js";

const redis = forAllTests(startRedis);
let client: Redis;
beforeEach(async () => {
  client = openClient((await redis()).port);
});

const AMOUNT = 4;

/** What somebody else may have put under a key of ours. */
const FOREIGN: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
  "a list": (key) => client.rpush(key, "1", "2"),
  "a hash": (key) => client.hset(key, "a", 1),
  "a set": (key) => client.sadd(key, "1"),
  "a sorted set": (key) => client.zadd(key, 1, "1"),
  "a stream": (key) => client.xadd(key, "*", "a", "1"),
  "an empty text": (key) => client.set(key, ""),
  words: (key) => client.set(key, "not a number"),
  NaN: (key) => client.set(key, "nan"),
  infinity: (key) => client.set(key, "inf inf inf"),
  "a negative number": (key) => client.set(key, "-9223372036854775808"),
  "the largest integer": (key) => client.set(key, "9223372036854775807"),
  "a fraction": (key) => client.set(key, "1.5e300 2.5 3.5"),
  "40 digits": (key) => client.set(key, "9".repeat(40)),
  zeros: (key) => client.set(key, "0 0 0"),
  "bytes of a log": (key) => client.set(key, Buffer.alloc(13 * 50, 0xff)),
  "a megabyte": (key) => client.set(key, Buffer.alloc(1_000_000, 0x31)),
};

describe.each(STRATEGY_NAMES)("limits by %s", (strategy) => {
  test.each(Object.entries(FOREIGN))(
    "are told in numbers, and charged all or none, over %s",
    async (_, plant) => {
      const storage = openStorage(client, { denyCacheMs: 0 });
      const who = freshClient();
      const good = claim(policy("fixed-window", 100, 1, "year"), { who });
      const odd = claim(policy(strategy, AMOUNT, 1, "hour"), { who });
      await plant(odd.key);
      const answers = [];
      for (let i = 0; i < AMOUNT + 2; i++) answers.push(await outcomeOf([good, odd]));
      const admitted = answers.filter((answer) => answer === "admitted").length;
      expect(admitted).toBeLessThanOrEqual(AMOUNT);
      // What the foreign value refuses, it refuses for a window at most: the key expires.
      expect(await client.pttl(odd.key)).toBeGreaterThan(0);
      expect(await client.pttl(odd.key)).toBeLessThanOrEqual(2 * odd.policy.limit.windowMs);
      expect((await storage.test([good]))[0]?.remaining).toBe(100 - admitted);

      async function outcomeOf(claims: readonly Claim[]): Promise<"admitted" | "refused"> {
        const before = await client.dumpBuffer(good.key);
        const verdicts = await storage.hit(claims, ALL_OR_NOTHING);
        for (const { remaining, resetAfterMs, retryAfterMs } of verdicts) {
          for (const number of [remaining, resetAfterMs, retryAfterMs])
            expect(number).toBeGreaterThanOrEqual(0);
        }
        if (verdicts.every(({ allowed }) => allowed)) return "admitted";
        expect(await client.dumpBuffer(good.key)).toEqual(before);
        return "refused";
      }
    },
  );
});
