import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import { parseRedisUri } from "../../src/redis/connect.js";
import { RedisStorage } from "../../src/redis/redis-storage.js";
import { startRedisCluster, startRedisSentinel } from "../helpers/redis-topologies.js";
import { startRedis } from "../helpers/servers.js";
import { claim, policy } from "./claims.js";
import { forAllTests, openClient, openStorage } from "./connections.js";

describe("a URI", () => {
  test.each([
    ["redis://example.org", { host: "example.org", port: 6379 }],
    ["redis://", { host: "127.0.0.1", port: 6379 }],
    ["redis://example.org:7000/3", { host: "example.org", port: 7000, db: 3 }],
    ["redis://[::1]:7000", { host: "::1", port: 7000 }],
    ["redis://:p%40ss@h", { host: "h", port: 6379, password: "p@ss" }],
    ["redis://user:p:w@h", { host: "h", port: 6379, username: "user", password: "p:w" }],
    ["rediss://h", { host: "h", port: 6379, tls: {} }],
    ["redis+unix:///run/redis%20x.sock?db=2", { path: "/run/redis x.sock", db: 2 }],
    ["redis+unix://:pw@/run/redis.sock", { path: "/run/redis.sock", password: "pw" }],
    [
      "redis+sentinel://:pw@a:1,b/mymaster/4",
      {
        password: "pw",
        sentinels: [
          { host: "a", port: 1 },
          { host: "b", port: 26_379 },
        ],
        name: "mymaster",
        db: 4,
      },
    ],
  ])("%s names a server", (uri, options) => {
    expect(parseRedisUri(uri)).toEqual({ kind: "single", options });
  });

  test("redis+cluster://u:p@a:1,b names first nodes", () => {
    expect(parseRedisUri("redis+cluster://u:p@a:1,b")).toEqual({
      kind: "cluster",
      nodes: [
        { host: "a", port: 1 },
        { host: "b", port: 6379 },
      ],
      options: { username: "u", password: "p" },
    });
  });

  test.each([
    "redis://u:s3cret@h:99999",
    "redis://u:s3cret@h/zero",
    "redis://u:s3cret@a,b",
    "redis://u:s3cret%@h",
    "redis+sentinel://u:s3cret@h",
    "redis+unix://u:s3cret@h",
    "http://u:s3cret@h",
  ])("%s is refused without showing its password", (uri) => {
    expect(() => new RedisStorage(uri)).toThrow("cannot be read");
    expect(() => new RedisStorage(uri)).not.toThrow("s3cret");
  });
});

describe("a storage from a URI", () => {
  const topologies = [
    { name: "one server", start: forAllTests(startRedis) },
    { name: "a Cluster", start: forAllTests(startRedisCluster) },
    { name: "a Sentinel", start: forAllTests(startRedisSentinel) },
  ];

  test.each(topologies)("counts on $name", async ({ start }) => {
    const storage = openStorage((await start()).uri, { commandTimeoutMs: 5000 });
    const one = claim(policy("token-bucket", 2));
    const hits = [1, 2, 3].map(() => storage.hit([one], ALL_OR_NOTHING));
    const allowed = (await Promise.all(hits)).map(([verdict]) => verdict?.allowed);
    expect(allowed).toEqual([true, true, false]);
  });

  test("closes the connection that it opened", async () => {
    const server = await startRedis();
    try {
      const watcher = openClient(server.port);
      const storage = new RedisStorage(server.uri);
      expect(await storage.check()).toBe(true);
      const clients = async () =>
        String(await watcher.client("LIST"))
          .trim()
          .split("\n").length;
      expect(await clients()).toBe(2);
      await storage.close();
      await sleep(50);
      expect(await clients()).toBe(1);
    } finally {
      await server.stop();
    }
  });

  test("says why a server cannot be reached, and keeps what the client said", async () => {
    const storage = openStorage("redis://127.0.0.1:1", { commandTimeoutMs: 10_000 });
    await expect(storage.hit([claim(policy("token-bucket", 2))], ALL_OR_NOTHING)).rejects.toMatchObject({
      message: "Redis failed: connect ECONNREFUSED 127.0.0.1:1",
      cause: { name: "MaxRetriesPerRequestError" },
    });
  });

  test("reaches a socket", async () => {
    const path = `/tmp/express-limits-${process.pid}.sock`;
    const server = await startRedis({ args: ["--unixsocket", path] });
    try {
      expect(await openStorage(`redis+unix://${path}`).check()).toBe(true);
    } finally {
      await server.stop();
      rmSync(path, { force: true });
    }
  });
});

describe("an option", () => {
  test.each([
    [{ denyCacheMs: -1 }, "denyCacheMs must be a whole number from 0"],
    [{ commandTimeoutMs: 0 }, "commandTimeoutMs must be a whole number from 1"],
    [{ maxBatch: 1.5 }, "maxBatch must be a whole number from 1"],
    [{ denyCache: 5 }, 'Unknown option "denyCache"'],
  ])("%j that cannot be is refused", (options: object, message) => {
    expect(() => new RedisStorage("redis://", options)).toThrow(message);
  });
});

describe("a client's setting", () => {
  const warningsOf = async (options: object): Promise<string[]> => {
    const warnings: string[] = [];
    const listen = (warning: Error) => warnings.push(warning.message);
    process.on("warning", listen);
    openStorage(openClient(1, { lazyConnect: true, ...options }));
    await sleep(10);
    process.off("warning", listen);
    return warnings.filter((message) => message.includes("Redis client"));
  };

  test("that is usual causes no warning", async () => {
    expect(await warningsOf({})).toEqual([]);
    expect(await warningsOf({ maxRetriesPerRequest: null, autoResendUnfulfilledCommands: false })).toEqual(
      [],
    );
  });

  test.each([
    { options: { maxRetriesPerRequest: null }, named: "autoResendUnfulfilledCommands" },
    { options: { role: "slave" }, named: "role" },
  ])("$named that is unsafe is named in a warning", async ({ options, named }) => {
    const warnings = await warningsOf(options);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(named);
  });
});
