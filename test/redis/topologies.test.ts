import { Cluster, Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import { hashSlot, hashTag } from "../../src/redis/hash-slot.js";
import { type RedisCluster, startRedisCluster, startRedisSentinel } from "../helpers/redis-topologies.js";
import { ask, until } from "../helpers/server-process.js";
import { blockClaim, claim, freshClient, policy } from "./claims.js";
import { forAllTests, openStorage } from "./connections.js";

const theCluster = forAllTests(startRedisCluster);
let cluster: RedisCluster;
let client: Cluster;

beforeEach(async () => {
  cluster = await theCluster();
  client = new Cluster(
    cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port })),
    { redisOptions: { maxRetriesPerRequest: 1 } },
  );
  client.on("error", () => {});
});

afterEach(() => client.disconnect());

test.each([
  { key: "user1000", slot: 3443 },
  { key: "123456789", slot: 12_739 },
  { key: "a{user1000}b{c}", slot: 3443 },
])("the slot of $key is $slot", ({ key, slot }) => {
  expect(hashSlot(hashTag(key))).toBe(slot);
});

test("an empty pair of braces is no hash tag", () => {
  expect(hashTag("a{}b{c}")).toBe("a{}b{c}");
});

/** Claims of different clients, so in different slots. */
function spread(amounts: readonly number[], strategy: (typeof STRATEGY_NAMES)[number]): Claim[] {
  return amounts.map((amount) => claim(policy(strategy, amount, 1, "hour")));
}

describe.each(STRATEGY_NAMES)("limits of different clients on a Cluster, %s", (strategy) => {
  test("are charged all or none", async () => {
    const storage = openStorage(client, { commandTimeoutMs: 5000 });
    const claims = spread([5, 3, 9], strategy);
    const answers = [];
    for (let i = 0; i < 5; i++) answers.push(await storage.hit(claims, ALL_OR_NOTHING));
    expect(answers.map((verdicts) => verdicts.every(({ allowed }) => allowed))).toEqual([
      ...[true, true, true],
      ...[false, false],
    ]);
    expect(answers.at(-1)?.map(({ remaining }) => remaining)).toEqual([2, 0, 6]);
    expect((await storage.test(claims)).map(({ remaining }) => remaining)).toEqual([2, 0, 6]);
  });

  test("never admit too many, however many hits run at once", async () => {
    const storage = openStorage(client, { commandTimeoutMs: 10_000 });
    const claims = spread([50, 20, 90], strategy);
    const hits = Array.from({ length: 300 }, () => storage.hit(claims, ALL_OR_NOTHING));
    const admitted = (await Promise.all(hits)).filter((verdicts) => verdicts.every((one) => one.allowed));
    expect(admitted.length).toBeLessThanOrEqual(20);
    const remaining = (await storage.test(claims)).map((verdict) => verdict.remaining);
    const expected = [50, 20, 90].map((amount) => amount - admitted.length);
    if (strategy !== "token-bucket") expect(remaining).toEqual(expected);
    // A bucket gives back less when many reservations are cancelled at once: it never mints tokens.
    remaining.forEach((left, i) => void expect(left).toBeLessThanOrEqual(expected[i] ?? 0));
  });

  test("are charged one by one in mode each", async () => {
    const storage = openStorage(client, { commandTimeoutMs: 5000 });
    const claims = spread([1, 3], strategy);
    for (let i = 0; i < 2; i++) await storage.hit(claims, { mode: "each" });
    expect((await storage.test(claims)).map(({ remaining }) => remaining)).toEqual([0, 1]);
  });
});

test("a breach in one slot blocks the client of another, and a block there bars all", async () => {
  const storage = openStorage(client, { commandTimeoutMs: 5000 });
  const [strict, loose] = spread([1, 9], "fixed-window");
  if (strict === undefined || loose === undefined) return;
  const list = [blockClaim(60_000, { who: freshClient(), parent: strict }), strict, loose];
  await storage.hit(list, ALL_OR_NOTHING);
  const [block, breached] = await storage.hit(list, ALL_OR_NOTHING);
  expect(breached).toMatchObject({ allowed: false });
  expect(block).toMatchObject({ allowed: true, retryAfterMs: 60_000 });
  const [barred] = await storage.hit(list, ALL_OR_NOTHING);
  expect(barred).toMatchObject({ allowed: false });
  expect((await storage.test([loose]))[0]).toMatchObject({ remaining: 8 });
});

test("reset empties every node", async () => {
  const storage = openStorage(client, { commandTimeoutMs: 5000 });
  const claims = spread(Array(200).fill(5), "fixed-window");
  await Promise.all(claims.map((one) => storage.hit([one], ALL_OR_NOTHING)));
  await storage.reset("test:{");
  for (const node of client.nodes("master")) expect(await node.keys("test:*")).toEqual([]);
});

test("a slot that moves to another node takes its counters along", async () => {
  const storage = openStorage(client, { commandTimeoutMs: 5000, denyCacheMs: 0 });
  const one = claim(policy("moving-window", 10));
  await storage.hit([one], ALL_OR_NOTHING);
  const slot = hashSlot(hashTag(one.key));
  const from = Math.floor(slot / 5461.34);
  const to = (from + 1) % 3;
  const ids = await Promise.all(cluster.nodes.map(({ port }) => clusterId(port)));
  const say = async (node: number, command: string) => ask(cluster.nodes[node]?.port ?? 0, `${command}\r\n`);
  await say(to, `CLUSTER SETSLOT ${slot} IMPORTING ${ids[from]}`);
  await say(from, `CLUSTER SETSLOT ${slot} MIGRATING ${ids[to]}`);
  await storage.hit([one], ALL_OR_NOTHING);
  await say(from, `MIGRATE 127.0.0.1 ${cluster.nodes[to]?.port} ${one.key} 0 1000`);
  await storage.hit([one], ALL_OR_NOTHING);
  for (const node of [to, from, 3 - to - from]) await say(node, `CLUSTER SETSLOT ${slot} NODE ${ids[to]}`);
  const [verdict] = await storage.hit([one], ALL_OR_NOTHING);
  expect(verdict).toMatchObject({ allowed: true, remaining: 6 });
});

async function clusterId(port: number): Promise<string> {
  return /[0-9a-f]{40}/.exec(await ask(port, "CLUSTER MYID\r\n"))?.[0] ?? "";
}

test("a Sentinel's fail-over is followed, without a restart and without anybody being locked out", async () => {
  const sentinel = await startRedisSentinel();
  const sentinelClient = new Redis({
    ...{ name: sentinel.name, sentinels: [{ host: "127.0.0.1", port: sentinel.sentinel.port }] },
    ...{ maxRetriesPerRequest: 1, retryStrategy: () => 50 },
  });
  sentinelClient.on("error", () => {});
  try {
    const storage = openStorage(sentinelClient, { commandTimeoutMs: 500 });
    const one = claim(policy("fixed-window", 5, 1, "hour"));
    await storage.hit([one], ALL_OR_NOTHING);
    expect(await sentinelClient.wait(1, 5000)).toBe(1);
    await sentinel.failOver();
    await until("the new master answers", async () => {
      const decided = await Promise.resolve(storage.hit([one], ALL_OR_NOTHING)).catch(() => undefined);
      return decided?.[0]?.allowed === true;
    });
    // The charge before the fail-over had reached the replica.
    const [verdict] = await storage.test([one]);
    expect(verdict?.remaining).toBeLessThanOrEqual(3);
  } finally {
    sentinelClient.disconnect();
    await sentinel.stop();
  }
}, 40_000);
