import { setTimeout as sleep } from "node:timers/promises";
import { Limiter } from "express-limits";
import type { Redis } from "ioredis";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import type { RedisStorage } from "../../src/redis/redis-storage.js";
import { until } from "../helpers/server-process.js";
import { startRedis } from "../helpers/servers.js";
import { startTcpProxy, type TcpProxy } from "../helpers/tcp-proxy.js";
import { claim, freshClient, policy } from "./claims.js";
import { callsOf, forAllTests, openClient, openStorage, writesOf } from "./connections.js";

const redis = forAllTests(startRedis);

let proxy: TcpProxy;
let direct: Redis;
beforeEach(async () => {
  const { port } = await redis();
  direct = openClient(port);
  proxy = await startTcpProxy(port);
  onTestFinished(() => proxy.stop());
});

const viaProxy = () => `redis://127.0.0.1:${proxy.port}`;

async function used(claims: readonly Claim[]): Promise<number[]> {
  const verdicts = await openStorage(direct).test(claims);
  return claims.map((one, i) => one.policy.limit.amount - (verdicts[i]?.remaining ?? Number.NaN));
}

/** How many of so many hits at once were admitted, and how many failed. */
async function hits(storage: RedisStorage, many: number, claims: readonly Claim[]) {
  const asked = Array.from({ length: many }, () => storage.hit(claims, ALL_OR_NOTHING));
  const ended = await Promise.allSettled(asked);
  const decided = ended.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
  return {
    admitted: decided.filter((verdicts) => verdicts.every(({ allowed }) => allowed)).length,
    failed: many - decided.length,
  };
}

describe.each(STRATEGY_NAMES)("limits by %s", (strategy) => {
  const list = () => {
    const who = freshClient();
    return [claim(policy(strategy, 70, 1, "year"), { who }), claim(policy("fixed-window", 50), { who })];
  };

  test("are exact when every byte arrives by itself", async () => {
    const storage = openStorage(viaProxy(), { commandTimeoutMs: 10_000, denyCacheMs: 0 });
    const claims = list();
    proxy.weather = { kind: "crumbling" };
    expect(await hits(storage, 80, claims)).toEqual({ admitted: 50, failed: 0 });
    expect(await used(claims)).toEqual([50, 50]);
  });

  test("are exact when every answer takes 30 ms", async () => {
    const storage = openStorage(viaProxy(), { commandTimeoutMs: 5000, denyCacheMs: 0 });
    const claims = list();
    proxy.weather = { kind: "slow", delayMs: 15 };
    expect(await hits(storage, 200, claims)).toEqual({ admitted: 50, failed: 0 });
    expect(await used(claims)).toEqual([50, 50]);
  });
});

test("what timed out in a black hole is not charged by a client that sends it again", async () => {
  // The client's own defaults, of which the storage warns: whatever was not answered is sent anew.
  const resending = openClient(proxy.port, {
    autoResendUnfulfilledCommands: true,
    maxRetriesPerRequest: null,
  });
  const storage = openStorage(resending, { commandTimeoutMs: 150 });
  const one = claim(policy("fixed-window", 1000, 1, "year"));
  await storage.hit([one], ALL_OR_NOTHING);
  await direct.config("RESETSTAT");
  const written = await writesOf(direct);
  proxy.weather = { kind: "black hole", swallows: "requests" };
  const startedAt = performance.now();
  expect(await hits(storage, 64, [one])).toEqual({ admitted: 0, failed: 64 });
  expect(performance.now() - startedAt).toBeLessThan(400);
  proxy.weather = { kind: "fair" };
  proxy.cut();
  await until("it is sent again", async () => (await callsOf(direct, "evalsha")) > 0);
  await until("there is nothing on its way", () => storage.check());
  // Nothing was charged, not even to be given back.
  expect(await writesOf(direct)).toBe(written);
  expect(await used([one])).toEqual([1]);
  expect(await hits(storage, 10, [one])).toEqual({ admitted: 10, failed: 0 });
  expect(await used([one])).toEqual([11]);
});

test("a connection that is reset again and again admits nothing twice", async () => {
  const storage = openStorage(viaProxy(), { commandTimeoutMs: 500, denyCacheMs: 0 });
  const one = claim(policy("moving-window", 300, 1, "year"));
  await storage.hit([one], ALL_OR_NOTHING);
  let [admitted, failed] = [1, 0];
  for (let resets = 0; resets < 4; resets++) {
    const storm = hits(storage, 40, [one]);
    await new Promise(setImmediate);
    proxy.cut();
    const ended = await storm;
    admitted += ended.admitted;
    failed += ended.failed;
    await until("it is back", () => storage.check());
  }
  expect(failed).toBeGreaterThan(0);
  const [charged = 0] = await used([one]);
  // A hit whose answer was lost may count; one that was admitted always does.
  expect(charged).toBeGreaterThanOrEqual(admitted);
  expect(charged).toBeLessThanOrEqual(Math.min(300, admitted + failed));
});

test("1,000 hits in flight over SCRIPT FLUSH are decided exactly, and none fails", async () => {
  const storage = openStorage(viaProxy(), { commandTimeoutMs: 10_000, denyCacheMs: 0, maxBatch: 16 });
  const limiter = new Limiter({ storage, storageTimeout: 10_000 });
  onTestFinished(() => limiter.close());
  const who = freshClient();
  await limiter.hit("600 per year", who);
  await direct.config("RESETSTAT");
  // So slow that flushes come in between.
  proxy.weather = { kind: "slow", delayMs: 2 };
  const storm = Promise.all(Array.from({ length: 1000 }, () => limiter.hit("600 per year", who)));
  for (let flushes = 0; flushes < 5; flushes++) {
    await direct.script("FLUSH");
    await sleep(5);
  }
  expect((await storm).filter(({ allowed }) => allowed)).toHaveLength(599);
  expect(await callsOf(direct, "eval")).toBeGreaterThan(0);
});
