import { Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { describe, expect, test } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import type { RedisClient } from "../../src/redis/redis-client.js";
import { startRedis } from "../helpers/servers.js";
import { claim, policy } from "./claims.js";
import { forAllTests, openStorage } from "./connections.js";

const redis = forAllTests(startRedis);

type Connect = (port: number, settings: object) => RedisClient;

const MAJORS: Readonly<Record<string, Connect>> = {
  "ioredis 5": (port, settings) => new Redis5({ port, host: "127.0.0.1", ...settings }),
  "ioredis 6": (port, settings) => new Redis({ port, host: "127.0.0.1", ...settings }),
};

/** What an app may have set for purposes of its own. */
const SETTINGS: readonly object[] = [
  {},
  { enableAutoPipelining: true },
  { keyPrefix: "app:" },
  { stringNumbers: true },
  { showFriendlyErrorStack: true },
  { enableReadyCheck: false },
  { lazyConnect: true },
  { db: 3 },
];
const SETTINGS_OF_6: readonly object[] = [{ protocol: 2 }, { protocol: 3, replyMapping: "resp3" }];

const CASES = Object.entries(MAJORS).flatMap(([major, connect]) =>
  [...SETTINGS, ...(major === "ioredis 6" ? SETTINGS_OF_6 : [])].map((settings) => ({
    name: `${major} with ${JSON.stringify(settings)}`,
    connect,
    settings,
  })),
);

describe.each(CASES)("a client of $name", ({ connect, settings }) => {
  test.each(STRATEGY_NAMES)("counts by %s, alone and many at once", async (strategy) => {
    const client = connect((await redis()).port, settings);
    const storage = openStorage(client, { denyCacheMs: 0 });
    try {
      const one = claim(policy(strategy, 3));
      const first = await storage.hit([one], ALL_OR_NOTHING);
      expect(first).toMatchObject([{ allowed: true, remaining: 2 }]);
      const more = await Promise.all([1, 2, 3, 4].map(() => storage.hit([one], ALL_OR_NOTHING)));
      expect(more.map(([verdict]) => verdict?.allowed)).toEqual([true, true, false, false]);
      await storage.clear([one]);
      expect(await storage.test([one])).toMatchObject([{ allowed: true, remaining: 3 }]);
    } finally {
      client.disconnect();
    }
  });
});
