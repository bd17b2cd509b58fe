import { setTimeout as sleep } from "node:timers/promises";
import { Cluster, Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { afterAll, describe, it } from "vitest";
import type { RedisClient } from "../../src/redis/redis-client.js";
import { RedisStorage } from "../../src/redis/redis-storage.js";
import { type CreateStorage, ManualClock, storageContract } from "../../src/testing/index.js";
import { startRedisCluster, startRedisSentinel } from "../helpers/redis-topologies.js";
import { startRedis } from "../helpers/servers.js";
import { forAllTests } from "./connections.js";

const redis = forAllTests(startRedis);
const cluster = forAllTests(startRedisCluster);
const sentinel = forAllTests(startRedisSentinel);

const clients: RedisClient[] = [];
afterAll(() => {
  for (const client of clients) client.disconnect();
});

/** One client for all tests of a group, made when the first of them starts. */
function clientOf(connect: () => Promise<RedisClient>): () => Promise<RedisClient> {
  let client: Promise<RedisClient> | undefined;
  return async () => {
    client ??= connect().then((made) => {
      made.on("error", () => {});
      clients.push(made);
      return made;
    });
    return client;
  };
}

const TOPOLOGIES = [
  { name: "one server", connect: async () => new Redis((await redis()).port) },
  { name: "one server, ioredis 5", connect: async () => new Redis5((await redis()).port) },
  {
    name: "a Cluster",
    connect: async () =>
      new Cluster((await cluster()).nodes.map(({ port }) => ({ host: "127.0.0.1", port }))),
  },
  {
    name: "a Sentinel",
    connect: async () => {
      const { name, sentinel: watcher } = await sentinel();
      return new Redis({ name, sentinels: [{ host: "127.0.0.1", port: watcher.port }] });
    },
  },
] satisfies { name: string; connect: () => Promise<RedisClient> }[];

describe.each(TOPOLOGIES)("$name", ({ name, connect }) => {
  const client = clientOf(connect);

  const onClock: CreateStorage = async () => {
    const clock = new ManualClock(1_000_000);
    const storage = new RedisStorage(await client(), { clock, commandTimeoutMs: 10_000 });
    return { storage, advance: (ms) => clock.advance(ms), close: () => storage.close() };
  };
  storageContract({ describe, it }, onClock);

  if (name !== "one server") return;
  describe("on real time", () => {
    const onRealTime: CreateStorage = async () => {
      const storage = new RedisStorage(await client(), { commandTimeoutMs: 10_000 });
      return { storage, advance: (ms) => sleep(ms), close: () => storage.close() };
    };
    storageContract({ describe, it }, onRealTime, { clock: "real" });
  });
});
