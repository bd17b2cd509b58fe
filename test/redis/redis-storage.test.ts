import type { Redis } from "ioredis";
import { beforeEach, describe, expect, test } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import { storedKey } from "../../src/redis/groups.js";
import { startRedis } from "../helpers/servers.js";
import { blockClaim, claim, freshClient, policy } from "./claims.js";
import { callsOf, forAllTests, openClient, openStorage } from "./connections.js";

const redis = forAllTests(startRedis);
let client: Redis;

beforeEach(async () => {
  client = openClient((await redis()).port);
  await client.flushall();
});

const EACH = STRATEGY_NAMES.map((strategy) => ({ strategy }));
const KINDS_OF_POLICY = EACH.map(({ strategy }) => ({ strategy, of: policy(strategy, 3) }));

describe("one script call", () => {
  test.each([1, 5])("decides %i limits", async (count) => {
    const storage = openStorage(client);
    await storage.hit([claim(policy("fixed-window", 1))], ALL_OR_NOTHING);
    await client.config("RESETSTAT");
    const who = freshClient();
    const claims = Array.from({ length: count }, (_, i) => claim(policy("fixed-window", 10 + i), { who }));
    for (let i = 0; i < 10; i++) await storage.hit(claims, ALL_OR_NOTHING);
    expect(await callsOf(client, "evalsha", "eval")).toBe(10);
  });

  test("256 decisions of one turn travel in 2", async () => {
    const storage = openStorage(client);
    await storage.hit([claim(policy("fixed-window", 1))], ALL_OR_NOTHING);
    await client.config("RESETSTAT");
    const of = policy("fixed-window", 100);
    await Promise.all(Array.from({ length: 256 }, () => storage.hit([claim(of)], ALL_OR_NOTHING)));
    expect(await callsOf(client, "evalsha", "eval")).toBe(2);
  });

  test("the first one on a server costs two more: one to learn its clock, one to send the script", async () => {
    const storage = openStorage(client);
    await client.script("FLUSH");
    await client.config("RESETSTAT");
    await storage.hit([claim(policy("fixed-window", 1))], ALL_OR_NOTHING);
    expect(await callsOf(client, "evalsha", "eval")).toBe(3);
  });

  test("reads no more values than maxBatch", async () => {
    const storage = openStorage(client, { maxBatch: 10 });
    await storage.hit([claim(policy("fixed-window", 1))], ALL_OR_NOTHING);
    await client.config("RESETSTAT");
    const of = policy("fixed-window", 100);
    await Promise.all(Array.from({ length: 40 }, () => storage.hit([claim(of), claim(of)], ALL_OR_NOTHING)));
    expect(await callsOf(client, "evalsha")).toBe(8);
  });
});

describe.each(KINDS_OF_POLICY)("$strategy", ({ of }) => {
  test("decisions of one turn on one key see each other", async () => {
    const storage = openStorage(client, { denyCacheMs: 0 });
    const one = claim(of);
    const answers = await Promise.all(Array.from({ length: 8 }, () => storage.hit([one], ALL_OR_NOTHING)));
    expect(answers.map(([verdict]) => verdict?.allowed)).toEqual([
      ...[true, true, true],
      ...[false, false, false, false, false],
    ]);
    expect(answers.slice(0, 4).map(([verdict]) => verdict?.remaining)).toEqual([2, 1, 0, 0]);
  });

  test("every key expires, also one that lost its expiry", async () => {
    const storage = openStorage(client, { denyCacheMs: 0 });
    const one = claim(of);
    for (let i = 0; i < 5; i++) {
      await storage.hit([one], ALL_OR_NOTHING);
      expect(await client.pttl(storedKey(one))).toBeGreaterThan(0);
      expect(await client.pttl(storedKey(one))).toBeLessThanOrEqual(2 * of.limit.windowMs);
      await client.persist(storedKey(one));
    }
  });

  test.each([
    { foreign: "a list", plant: (key: string) => client.rpush(key, "x") },
    { foreign: "a text", plant: (key: string) => client.set(key, "not a number") },
    {
      foreign: "numbers without meaning",
      plant: (key: string) => client.set(key, "99999999999999999999 9 9"),
    },
    { foreign: "as many bytes as a log has", plant: (key: string) => client.set(key, "x".repeat(26)) },
    { foreign: "an empty text", plant: (key: string) => client.set(key, "") },
  ])("goes on when the key holds $foreign", async ({ plant }) => {
    const storage = openStorage(client, { denyCacheMs: 0 });
    const one = claim(of);
    await plant(storedKey(one));
    const verdicts = [];
    for (let i = 0; i < 6; i++) verdicts.push(...(await storage.hit([one], ALL_OR_NOTHING)));
    for (const { remaining, resetAfterMs, retryAfterMs } of verdicts) {
      expect(remaining).toBeGreaterThanOrEqual(0);
      expect(remaining).toBeLessThanOrEqual(3);
      expect(resetAfterMs).toBeLessThanOrEqual(2 * of.limit.windowMs);
      expect(retryAfterMs).toBeLessThanOrEqual(2 * of.limit.windowMs);
    }
    expect(verdicts.filter(({ allowed }) => allowed).length).toBeLessThanOrEqual(3);
    expect(await client.pttl(storedKey(one))).toBeGreaterThan(0);
  });

  test("a clock that was set back locks nobody out for longer than a window", async () => {
    const clock = { at: 10_000_000, now: () => clock.at };
    const storage = openStorage(client, { clock, denyCacheMs: 0 });
    const one = claim(of);
    for (let i = 0; i < 3; i++) await storage.hit([one], ALL_OR_NOTHING);
    clock.at -= 5_000_000;
    const [refused] = await storage.hit([one], ALL_OR_NOTHING);
    expect(refused).toMatchObject({ allowed: false });
    expect(refused?.retryAfterMs).toBeLessThanOrEqual(2 * of.limit.windowMs);
    clock.at += refused?.retryAfterMs ?? 0;
    const [allowed] = await storage.hit([one], ALL_OR_NOTHING);
    expect(allowed).toMatchObject({ allowed: true });
  });
});

test("a block and its limit ride in one list", async () => {
  const storage = openStorage(client);
  const who = freshClient();
  const list = [claim(policy("fixed-window", 1), { who }), blockClaim(5000, { who })];
  await storage.hit(list, ALL_OR_NOTHING);
  const [limit, block] = await storage.hit(list, ALL_OR_NOTHING);
  expect(limit).toMatchObject({ allowed: false });
  expect(block).toMatchObject({ allowed: true, retryAfterMs: 5000 });
  const [, blocked] = await storage.hit(list, ALL_OR_NOTHING);
  expect(blocked).toMatchObject({ allowed: false });
});

test("reset forgets what starts with the prefix, and nothing else", async () => {
  const storage = openStorage(client);
  const of = policy("fixed-window", 5);
  const claims = Array.from({ length: 2500 }, () => claim(of));
  await Promise.all(claims.map((one) => storage.hit([one], ALL_OR_NOTHING)));
  await client.set("tes*t:{x}", "kept");
  await client.set("testing:{x}", "kept");
  await storage.reset("test:{");
  expect((await client.keys("*")).sort()).toEqual(["tes*t:{x}", "testing:{x}"]);
  await storage.reset("tes*");
  expect(await client.keys("*")).toEqual(["testing:{x}"]);
});

test("a client's own keyPrefix is honoured, by reset too", async () => {
  const prefixed = openClient((await redis()).port, { keyPrefix: "app[1]:" });
  const storage = openStorage(prefixed);
  const one = claim(policy("fixed-window", 5));
  await storage.hit([one], ALL_OR_NOTHING);
  await client.set(storedKey(one), "not ours");
  expect(await client.keys("app*")).toEqual([`app[1]:${storedKey(one)}`]);
  await storage.reset("test:{");
  expect(await client.keys("*")).toEqual([storedKey(one)]);
});

test("check says whether Redis answers", async () => {
  expect(await openStorage(client).check()).toBe(true);
  expect(await openStorage("redis://127.0.0.1:1").check()).toBe(false);
});

test("close leaves a client that was handed in open, and fails what still waits", async () => {
  const storage = openStorage(client);
  const pending = storage.hit([claim(policy("fixed-window", 1))], ALL_OR_NOTHING);
  await storage.close();
  await expect(pending).rejects.toMatchObject({ code: "STORAGE" });
  await expect(storage.test([claim(policy("fixed-window", 1))])).rejects.toThrow("closed");
  expect(await client.ping()).toBe("PONG");
});

test("an empty list is decided at once", () => {
  expect(openStorage(client).hit([], ALL_OR_NOTHING)).toEqual([]);
});
