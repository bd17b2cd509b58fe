import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { beforeEach, describe, expect, test } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import type { Verdict } from "../../src/core/strategy.js";
import { DenyCache } from "../../src/redis/deny-cache.js";
import { startRedis } from "../helpers/servers.js";
import { blockClaim, claim, freshClient, policy } from "./claims.js";
import { callsOf, forAllTests, openClient, openStorage } from "./connections.js";

const redis = forAllTests(startRedis);
let client: Redis;

beforeEach(async () => {
  client = openClient((await redis()).port);
  await client.config("RESETSTAT");
});

const calls = () => callsOf(client, "evalsha", "eval");

describe.each(STRATEGY_NAMES)("an exhausted key, %s", (strategy) => {
  test.each([1, 3])("takes at most 20 calls for 10,000 requests on %i limits", async (count) => {
    const storage = openStorage(client, { commandTimeoutMs: 10_000 });
    const who = freshClient();
    const claims = [5, 50, 60].slice(0, count).map((amount) => claim(policy(strategy, amount), { who }));
    const answers = await Promise.all(
      Array.from({ length: 10_000 }, async () => (await storage.hit(claims, ALL_OR_NOTHING))[0]),
    );
    expect(answers.filter((verdict) => verdict?.allowed)).toHaveLength(5);
    expect(await calls()).toBeLessThanOrEqual(20);
  });

  test("is told with waits that run down, and is asked about again when more becomes available", async () => {
    const storage = openStorage(client, { denyCacheMs: 5000 });
    const one = claim(policy(strategy, 2, 600, "millisecond"));
    await storage.hit([{ ...one, cost: 2 }], ALL_OR_NOTHING);
    const [first] = await storage.hit([one], ALL_OR_NOTHING);
    expect(first).toMatchObject({ allowed: false, remaining: 0 });
    await sleep(100);
    const before = await calls();
    const [later] = await storage.hit([one], ALL_OR_NOTHING);
    expect(await calls()).toBe(before);
    const [asked] = await storage.test([one]);
    expect(later).toMatchObject({ allowed: false, remaining: 0 });
    // Never shorter than the truth, and longer by a trip at most.
    expect(later?.retryAfterMs).toBeGreaterThanOrEqual(asked?.retryAfterMs ?? 0);
    expect(later?.retryAfterMs).toBeLessThan((asked?.retryAfterMs ?? 0) + 50);
    await sleep(later?.retryAfterMs);
    expect((await storage.hit([one], ALL_OR_NOTHING))[0]).toMatchObject({ allowed: true });
  });

  test.each(["refund", "clear", "reset"] as const)("is forgotten on %s", async (how) => {
    const storage = openStorage(client);
    const one = claim(policy(strategy, 1));
    const [charged] = await storage.hit([one], ALL_OR_NOTHING);
    expect((await storage.hit([one], ALL_OR_NOTHING))[0]).toMatchObject({ allowed: false });
    if (charged === undefined) throw new Error("no verdict");
    // The refusal that is on its way was decided before.
    const raced = storage.hit([one], ALL_OR_NOTHING);
    if (how === "refund") await storage.refund([{ claim: one, receipt: charged }]);
    else if (how === "clear") await storage.clear([one]);
    else await storage.reset("test:{");
    await raced;
    expect((await storage.hit([one], ALL_OR_NOTHING))[0]).toMatchObject({ allowed: true });
  });

  test("says nothing about a smaller cost, or about looking", async () => {
    const storage = openStorage(client);
    const one = claim(policy(strategy, 5));
    await storage.hit([{ ...one, cost: 3 }], ALL_OR_NOTHING);
    expect((await storage.hit([{ ...one, cost: 3 }], ALL_OR_NOTHING))[0]).toMatchObject({ allowed: false });
    expect((await storage.hit([{ ...one, cost: 2 }], ALL_OR_NOTHING))[0]).toMatchObject({ allowed: true });
    expect((await storage.hit([{ ...one, cost: 2 }], ALL_OR_NOTHING))[0]).toMatchObject({ allowed: false });
    expect((await storage.hit([{ ...one, cost: 0 }], ALL_OR_NOTHING))[0]).toMatchObject({ allowed: true });
  });
});

test("breaches are counted in Redis each time; a client that is blocked is refused locally", async () => {
  const storage = openStorage(client);
  const who = freshClient();
  const limit = claim(policy("fixed-window", 1), { who });
  const breaches = claim(policy("fixed-window", 3, 1, "hour"), { who, role: "meta", parent: limit });
  const list = [breaches, limit, blockClaim(0, { who })];
  const told = [];
  for (let i = 0; i < 6; i++) told.push((await storage.hit(list, ALL_OR_NOTHING))[0]?.remaining);
  expect(told).toEqual([3, 2, 1, 0, 0, 0]);
  const before = await calls();
  for (let i = 0; i < 100; i++) await storage.hit(list, ALL_OR_NOTHING);
  expect(await calls()).toBe(before);
});

test("with denyCacheMs 0 Redis is asked each time", async () => {
  const storage = openStorage(client, { denyCacheMs: 0 });
  const one = claim(policy("fixed-window", 1));
  await storage.hit([one], ALL_OR_NOTHING);
  const before = await calls();
  for (let i = 0; i < 10; i++) await storage.hit([one], ALL_OR_NOTHING);
  expect(await calls()).toBe(before + 10);
});

describe("DenyCache", () => {
  const refused: Verdict = {
    ...{ allowed: false, remaining: 0, resetAfterMs: 10_000, retryAfterMs: 10_000 },
    ...{ receipt: 0, refundsSeen: 0 },
  };
  const learn = (cache: DenyCache, one: Claim, at: number) =>
    cache.learn({
      ...{ claims: [one], mode: "all", verdicts: [refused] },
      ...{ askedAt: at, sentAt: at, receivedAt: at },
    });

  test("holds a bounded number of keys", () => {
    const cache = new DenyCache(1000);
    const of = policy("fixed-window", 1);
    const claims = Array.from({ length: 10_000 }, () => claim(of));
    for (const one of claims) learn(cache, one, 0);
    const known = claims.filter((one) => cache.refusal([one], "all", 1) !== undefined);
    expect(known).toHaveLength(4096);
    expect(known.at(-1)).toBe(claims.at(-1));
  });

  test("believes no answer that was asked for before a key was eased, however many were", () => {
    const cache = new DenyCache(1000);
    const of = policy("fixed-window", 1);
    const one = claim(of);
    cache.ease([one.key], 10);
    for (let i = 0; i < 10_000; i++) cache.ease([claim(of).key], 10);
    learn(cache, one, 5);
    expect(cache.refusal([one], "all", 11)).toBeUndefined();
    learn(cache, one, 12);
    expect(cache.refusal([one], "all", 13)).toBeDefined();
  });
});
