// Decisions per second over Memcached: the peers use the package `memcached`, two commands a decision.

import { promisify } from "node:util";
import Memcached from "memcached";
import { MemcachedStore } from "rate-limit-memcached";
import flexible from "rate-limiter-flexible";
import { addresses } from "./lib/keys.js";
import { AMOUNT, HOUR_MS, limitText, WINDOWS } from "./lib/limits.js";
import { figure, publish, skip } from "./lib/report.js";
import { isInstalled, startMemcached } from "./lib/servers.js";
import { measureStores, oneAfterTheOther, storeTables, timesTheBest } from "./lib/store-bench.js";
import { importEntry, importRoot } from "./lib/subject.js";

const NAMES = {
  incr: "floor: incr",
  ours: "express-limits",
  ours3: "express-limits, 3 limits",
  oursOverClient: "express-limits over the package's client",
  store: "rate-limit-memcached",
  store3: "rate-limit-memcached, 3 limits",
  flexible: "RateLimiterMemcache",
  flexible3: "RateLimiterMemcache, 3 limits",
};

/** An `incr` that finds its key: what the package `memcached` can do at best. */
async function floor(client) {
  const set = promisify(client.set).bind(client);
  const incr = promisify(client.incr).bind(client);
  for (const key of addresses(10_000)) await set(`floor:${key}`, 1, HOUR_MS / 1000);
  return { name: NAMES.incr, decide: (key) => incr(`floor:${key}`, 1) };
}

function ours({ RateLimiter }, { MemcachedStorage }, port, client) {
  const limiter = new RateLimiter({ storage: new MemcachedStorage(`memcached://127.0.0.1:${port}`) });
  // Another prefix: the two roads would count on the same keys.
  const overClient = new RateLimiter({ storage: new MemcachedStorage(client), keyPrefix: "over-client" });
  const [one, three] = [limitText(1), limitText(3)];
  return [
    { name: NAMES.ours, decide: (key) => limiter.hit(one, key) },
    { name: NAMES.ours3, decide: (key) => limiter.hit(three, key) },
    { name: NAMES.oursOverClient, decide: (key) => overClient.hit(one, key) },
  ];
}

function expressRateLimit(client) {
  const storeOf = ({ name, windowMs }) => {
    const store = new MemcachedStore({ client, prefix: `rl:${name}:` });
    store.init({ windowMs });
    return store;
  };
  const one = storeOf({ name: "one", windowMs: HOUR_MS });
  const three = WINDOWS.map(storeOf);
  return [
    { name: NAMES.store, decide: (key) => one.increment(key) },
    { name: NAMES.store3, decide: oneAfterTheOther(three.map((store) => (key) => store.increment(key))) },
  ];
}

function rateLimiterFlexible(client) {
  const limiterOf = ({ name, windowMs }) =>
    new flexible.RateLimiterMemcache({
      storeClient: client,
      keyPrefix: `rlf-${name}`,
      points: AMOUNT,
      duration: windowMs / 1000,
    });
  const one = limiterOf({ name: "one", windowMs: HOUR_MS });
  const three = WINDOWS.map(limiterOf);
  return [
    { name: NAMES.flexible, decide: (key) => one.consume(key) },
    {
      name: NAMES.flexible3,
      decide: oneAfterTheOther(three.map((limiter) => (key) => limiter.consume(key))),
    },
  ];
}

async function run(entry) {
  const server = await startMemcached();
  const client = new Memcached(`127.0.0.1:${server.port}`);
  const candidates = [
    await floor(client),
    ...ours(await importRoot(), entry, server.port, client),
    ...expressRateLimit(client),
    ...rateLimiterFlexible(client),
  ];
  const byLoad = await measureStores(server, candidates, [1, 64]);
  const most = byLoad.get(64);
  await publish({
    markdown: storeTables(byLoad, NAMES.incr),
    figures: [
      figure(
        "Memcached, 64 in flight, 1 limit: of the better peer",
        timesTheBest(most, NAMES.ours, [NAMES.store, NAMES.flexible]),
        { least: 6 },
      ),
      figure("the same, 3 limits", timesTheBest(most, NAMES.ours3, [NAMES.store3, NAMES.flexible3]), {
        least: 12,
      }),
      figure(
        "the same over a client of the package, 1 limit",
        timesTheBest(most, NAMES.oursOverClient, [NAMES.store, NAMES.flexible]),
        { least: 1.8 },
      ),
    ],
  });
  client.end();
  server.stop();
}

const entry = await importEntry("memcached");
if (entry === undefined) await skip("the package has no entry `express-limits/memcached` yet");
else if (!isInstalled("memcached", "-V")) await skip("`memcached` is not installed");
else await run(entry);
process.exit(0);
