// Decisions per second over Redis: one command or script a decision is what the peers do.

import { Redis } from "ioredis";
import { RedisStore } from "rate-limit-redis";
import flexible from "rate-limiter-flexible";
import { AMOUNT, HOUR_MS, limitText, WINDOWS } from "./lib/limits.js";
import { figure, publish, skip } from "./lib/report.js";
import { isInstalled, startRedis } from "./lib/servers.js";
import { measureStores, oneAfterTheOther, storeTables, timesTheBest } from "./lib/store-bench.js";
import { importEntry, importRoot } from "./lib/subject.js";

const COUNT = `local out = {}
for i, key in ipairs(KEYS) do
  local count = redis.call("INCR", key)
  if count == 1 then redis.call("PEXPIRE", key, ARGV[i]) end
  out[2 * i - 1], out[2 * i] = count, redis.call("PTTL", key)
end
return out`;

const NAMES = {
  incr: "floor: INCR",
  script: "floor: EVALSHA, count and time left",
  script3: "floor, 3 limits: one EVALSHA of 3 keys",
  ours: "express-limits",
  ours3: "express-limits, 3 limits",
  store: "rate-limit-redis",
  store3: "rate-limit-redis, 3 limits",
  flexible: "RateLimiterRedis",
  flexible3: "RateLimiterRedis, 3 limits",
  union3: "RateLimiterRedis, 3 limits by RateLimiterUnion",
};

function floors(client, sha) {
  const three = WINDOWS.map(({ windowMs }) => String(windowMs));
  return [
    { name: NAMES.incr, decide: (key) => client.incr(`incr:${key}`) },
    { name: NAMES.script, decide: (key) => client.evalsha(sha, 1, `one:${key}`, String(HOUR_MS)) },
    {
      name: NAMES.script3,
      decide: (key) =>
        client.evalsha(sha, 3, `second:{${key}}`, `minute:{${key}}`, `hour:{${key}}`, ...three),
    },
  ];
}

function ours({ RateLimiter }, { RedisStorage }, client) {
  const [one, three] = [limitText(1), limitText(3)];
  const limiter = new RateLimiter({ storage: new RedisStorage(client) });
  // With keys of its own, as the others: under one prefix both would count in the same values.
  const limiter3 = new RateLimiter({ storage: new RedisStorage(client), keyPrefix: "express-limits-3" });
  return [
    { name: NAMES.ours, decide: (key) => limiter.hit(one, key) },
    { name: NAMES.ours3, decide: (key) => limiter3.hit(three, key) },
  ];
}

async function expressRateLimit(client) {
  const storeOf = async ({ name, windowMs }) => {
    const store = new RedisStore({
      prefix: `rl:${name}:`,
      sendCommand: (...command) => client.call(...command),
    });
    await store.init({ windowMs });
    return store;
  };
  const one = await storeOf({ name: "one", windowMs: HOUR_MS });
  const three = await Promise.all(WINDOWS.map(storeOf));
  return [
    { name: NAMES.store, decide: (key) => one.increment(key) },
    { name: NAMES.store3, decide: oneAfterTheOther(three.map((store) => (key) => store.increment(key))) },
  ];
}

function rateLimiterFlexible(client) {
  const limiterOf =
    (prefix) =>
    ({ name, windowMs }) =>
      new flexible.RateLimiterRedis({
        storeClient: client,
        keyPrefix: `${prefix}-${name}`,
        points: AMOUNT,
        duration: windowMs / 1000,
      });
  const one = limiterOf("one")({ name: "one", windowMs: HOUR_MS });
  const three = WINDOWS.map(limiterOf("three"));
  const union = new flexible.RateLimiterUnion(...WINDOWS.map(limiterOf("union")));
  return [
    { name: NAMES.flexible, decide: (key) => one.consume(key) },
    {
      name: NAMES.flexible3,
      decide: oneAfterTheOther(three.map((limiter) => (key) => limiter.consume(key))),
    },
    { name: NAMES.union3, decide: (key) => union.consume(key) },
  ];
}

async function run(entry) {
  const server = await startRedis();
  const client = new Redis(server.port, "127.0.0.1");
  const sha = await client.script("LOAD", COUNT);
  const candidates = [
    ...floors(client, sha),
    ...ours(await importRoot(), entry, client),
    ...(await expressRateLimit(client)),
    ...rateLimiterFlexible(client),
  ];
  const byLoad = await measureStores(server, candidates, [1, 64, 256]);
  const most = byLoad.get(256);
  await publish({
    markdown: storeTables(byLoad, NAMES.incr),
    figures: [
      figure(
        "Redis, 256 in flight, 1 limit: of the better peer",
        timesTheBest(most, NAMES.ours, [NAMES.store, NAMES.flexible]),
        { least: 2 },
      ),
      figure(
        "the same, 3 limits",
        timesTheBest(most, NAMES.ours3, [NAMES.store3, NAMES.flexible3, NAMES.union3]),
        { least: 5 },
      ),
      figure("the same, 1 limit: of a raw INCR", timesTheBest(most, NAMES.ours, [NAMES.incr]), {
        least: 1.2,
      }),
    ],
  });
  client.disconnect();
  server.stop();
}

const entry = await importEntry("redis");
if (entry === undefined) await skip("the package has no entry `express-limits/redis` yet");
else if (!isInstalled("redis-server")) await skip("`redis-server` is not installed");
else await run(entry);
process.exit(0);
