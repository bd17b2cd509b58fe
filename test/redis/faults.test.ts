import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StorageError } from "../../src/core/errors.js";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import type { Verdict } from "../../src/core/strategy.js";
import type { RedisStorage } from "../../src/redis/redis-storage.js";
import { ask, until } from "../helpers/server-process.js";
import { type Server, startRedis } from "../helpers/servers.js";
import { claim, freshClient, policy } from "./claims.js";
import { callsOf, openClient, openStorage } from "./connections.js";

let server: Server;
let client: Redis;

beforeEach(async () => {
  server = await startRedis();
  client = openClient(server.port);
});

afterEach(() => server.stop());

/** How a hit ended, and how long it took. */
interface Outcome {
  readonly verdicts: readonly Verdict[] | undefined;
  readonly error: unknown;
  readonly tookMs: number;
}

async function outcome(
  storage: RedisStorage,
  claims: readonly Claim[],
  timeoutMs?: number,
): Promise<Outcome> {
  const startedAt = performance.now();
  try {
    const verdicts = await storage.hit(claims, { mode: "all", timeoutMs });
    return { verdicts, error: undefined, tookMs: performance.now() - startedAt };
  } catch (error) {
    return { verdicts: undefined, error, tookMs: performance.now() - startedAt };
  }
}

const used = async (storage: RedisStorage, one: Claim): Promise<number> => {
  const [verdict] = await storage.test([one]);
  return one.policy.limit.amount - (verdict?.remaining ?? Number.NaN);
};

describe.each(STRATEGY_NAMES)("a server that hangs, %s", (strategy) => {
  test("every call ends by its deadline, and nothing that timed out was charged", async () => {
    const storage = openStorage(client, { commandTimeoutMs: 150 });
    const one = claim(policy(strategy, 100_000, 1, "year"));
    const outcomes: Promise<Outcome>[] = [];
    let isRunning = true;
    const stalls = monitorEventLoopDelay({ resolution: 5 });
    stalls.enable();
    const load = async () => {
      while (isRunning) {
        for (let i = 0; i < 20; i++) outcomes.push(outcome(storage, [one]));
        await sleep(5);
      }
    };
    const running = load();
    await sleep(150);
    server.pause();
    await sleep(1000);
    server.resume();
    await sleep(300);
    isRunning = false;
    await running;
    const ended = await Promise.all(outcomes);
    await sleep(100);
    const admitted = ended.filter(({ verdicts }) => verdicts?.[0]?.allowed).length;
    const failed = ended.filter(({ error }) => error !== undefined);
    expect(failed.length).toBeGreaterThan(100);
    expect(failed.every(({ error }) => error instanceof StorageError)).toBe(true);
    // What this process stood still, on a machine that does other things too, is nobody's fault.
    const stalledMs = stalls.max / 1e6;
    expect(Math.max(...ended.map(({ tookMs }) => tookMs))).toBeLessThan(150 + 50 + stalledMs);
    expect(await used(storage, one)).toBe(admitted);
    // It recovered by itself: the last ones were admitted.
    expect(ended.at(-1)?.verdicts?.[0]).toMatchObject({ allowed: true });
  });
});

test("what Redis said while this process stood still is heard", async () => {
  const storage = openStorage(client, { commandTimeoutMs: 100 });
  const one = claim(policy("fixed-window", 10));
  await storage.hit([one], ALL_OR_NOTHING);
  const pending = outcome(storage, [one]);
  // The script is on its way; our own turn takes too long to read the reply.
  await new Promise(setImmediate);
  const stalledUntil = performance.now() + 250;
  while (performance.now() < stalledUntil);
  expect((await pending).verdicts?.[0]).toMatchObject({ allowed: true, remaining: 8 });
  expect(await used(storage, one)).toBe(2);
});

test("a server that is killed and comes back is used again", async () => {
  const storage = openStorage(client, { commandTimeoutMs: 200 });
  const list = () => [claim(policy("fixed-window", 5)), claim(policy("token-bucket", 5))];
  expect((await outcome(storage, list())).verdicts).toHaveLength(2);
  await server.kill();
  const down = await outcome(storage, list());
  expect(down.error).toBeInstanceOf(StorageError);
  expect(down.tookMs).toBeLessThan(250);
  expect(await storage.check()).toBe(false);
  await server.restart();
  await until("it answers", () => storage.check());
  expect((await outcome(storage, list())).verdicts).toHaveLength(2);
});

test.each(["client", "uri"])("a server that starts after the app is used, by a %s", async (how) => {
  await server.kill();
  const storage = openStorage(how === "uri" ? server.uri : openClient(server.port), {
    commandTimeoutMs: 100,
  });
  const one = claim(policy("fixed-window", 5));
  for (let i = 0; i < 3; i++) expect((await outcome(storage, [one])).error).toBeInstanceOf(StorageError);
  await server.restart();
  await until("it answers", () => storage.check());
  expect((await outcome(storage, [one])).verdicts?.[0]).toMatchObject({ allowed: true, remaining: 4 });
});

test("100 hits after SCRIPT FLUSH are all decided", async () => {
  const storage = openStorage(client, { denyCacheMs: 0 });
  const one = claim(policy("moving-window", 60));
  await storage.hit([one], ALL_OR_NOTHING);
  await client.script("FLUSH");
  await client.config("RESETSTAT");
  const outcomes = await Promise.all(Array.from({ length: 100 }, () => outcome(storage, [one])));
  expect(outcomes.filter(({ verdicts }) => verdicts?.[0]?.allowed)).toHaveLength(59);
  expect(outcomes.filter(({ error }) => error !== undefined)).toHaveLength(0);
  expect(await callsOf(client, "eval")).toBeLessThanOrEqual(2);
});

describe("a server that cannot write", () => {
  const lists = STRATEGY_NAMES.map((strategy) => ({
    strategy,
    list: () => {
      const who = freshClient();
      return [claim(policy("fixed-window", 100, 1, "hour"), { who }), claim(policy(strategy, 50), { who })];
    },
  }));

  test.each(lists)("charges none of a list when it is full, $strategy", async ({ list }) => {
    const storage = openStorage(client);
    const claims = list();
    await storage.hit(claims, ALL_OR_NOTHING);
    await client.config("SET", "maxmemory", "1");
    const full = await outcome(storage, claims);
    expect(full.error).toBeInstanceOf(StorageError);
    expect(String(full.error)).toContain("OOM");
    await client.config("SET", "maxmemory", "0");
    const remaining = (await storage.test(claims)).map((verdict) => verdict.remaining);
    expect(remaining).toEqual([99, 49]);
  });

  test.each(lists)("charges none of a list when it has become a replica, $strategy", async ({ list }) => {
    const storage = openStorage(client);
    const claims = list();
    await storage.hit(claims, ALL_OR_NOTHING);
    await client.replicaof("127.0.0.1", 1);
    const readOnly = await outcome(storage, claims);
    expect(String(readOnly.error)).toContain("READONLY");
    await client.replicaof("NO", "ONE");
    expect((await storage.test(claims)).map(({ remaining }) => remaining)).toEqual([99, 49]);
  });

  test("charges nothing without enough replicas", async () => {
    const storage = openStorage(client);
    await client.config("SET", "min-replicas-to-write", "1");
    expect(String((await outcome(storage, [claim(policy("fixed-window", 5))])).error)).toContain(
      "NOREPLICAS",
    );
  });
});

test("a server that is busy with a script of somebody else fails a hit in time, and charges nothing", async () => {
  const storage = openStorage(client, { commandTimeoutMs: 150 });
  const one = claim(policy("fixed-window", 5));
  await storage.hit([one], ALL_OR_NOTHING);
  await client.config("SET", "busy-reply-threshold", "50");
  const endless = openClient(server.port).eval("while true do end", 0);
  endless.catch(() => {});
  await sleep(100);
  const busy = await outcome(storage, [one]);
  expect(busy.error).toBeInstanceOf(StorageError);
  expect(busy.tookMs).toBeLessThan(200);
  await ask(server.port, "SCRIPT KILL\r\n");
  await sleep(50);
  expect(await used(storage, one)).toBe(1);
});

test("a password never shows in an error", async () => {
  const guarded = await startRedis({ args: ["--requirepass", "s3cret"] });
  try {
    const storage = openStorage(`redis://:wr0ng@127.0.0.1:${guarded.port}`, { commandTimeoutMs: 200 });
    const { error } = await outcome(storage, [claim(policy("fixed-window", 5))]);
    expect(error).toBeInstanceOf(StorageError);
    const shown = `${String(error)} ${JSON.stringify(error)} ${String((error as StorageError).cause)}`;
    expect(shown).not.toContain("wr0ng");
    const right = openStorage(`redis://:s3cret@127.0.0.1:${guarded.port}`);
    expect((await outcome(right, [claim(policy("fixed-window", 5))])).error).toBeUndefined();
  } finally {
    await guarded.stop();
  }
});
