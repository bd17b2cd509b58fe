// Counters without Express: `make({ windowMs, amount, maxKeys })` gives `hit(key)`, which tells whether it passes.
import { createRequire } from "node:module";
import { MemoryStore } from "express-rate-limit";
import flexible from "rate-limiter-flexible";
import { importRoot } from "./subject.js";

const require = createRequire(import.meta.url);

/** The floor: a counter as one writes it by hand. With `maxKeys` the oldest key makes room. */
const map = {
  id: "map",
  name: "floor: Map of { count, reset }",
  make({ windowMs, amount, maxKeys = Number.POSITIVE_INFINITY }) {
    const entries = new Map();
    // One iterator for all: a fresh one would have to pass all that was deleted before.
    const oldest = entries.keys();
    return (key) => {
      const now = Date.now();
      let entry = entries.get(key);
      if (entry === undefined) {
        if (entries.size >= maxKeys) entries.delete(oldest.next().value);
        entry = { count: 0, resetAt: now + windowMs };
        entries.set(key, entry);
      } else if (entry.resetAt <= now) {
        entry.count = 0;
        entry.resetAt = now + windowMs;
      }
      return ++entry.count <= amount;
    };
  },
};

/**
 * What typed arrays can do: two 32-bit hashes of the key, the count and the second in which the window ends,
 * 16 bytes. Never grows, forgets nothing.
 */
const typedArrays = {
  id: "typed-arrays",
  name: "floor: typed arrays, key as 64-bit hash",
  make({ windowMs, amount, maxKeys }) {
    const slots = 2 ** Math.ceil(Math.log2(maxKeys * 1.4));
    const cells = new Uint32Array(slots * 4);
    const windowSeconds = Math.ceil(windowMs / 1000);
    return (key) => {
      const now = Math.floor(Date.now() / 1000);
      let [high, low] = [0x9e3779b9, 0x85ebca6b];
      for (let i = 0; i < key.length; i++) {
        const code = key.charCodeAt(i);
        high = Math.imul(high ^ code, 0x01000193);
        low = Math.imul(low ^ code, 0x5bd1e995);
        low ^= low >>> 13;
      }
      high = (high ^ (high >>> 16)) >>> 0;
      low = (low | 1) >>> 0;
      let at = (high & (slots - 1)) * 4;
      while (cells[at + 1] !== 0 && (cells[at] !== high || cells[at + 1] !== low))
        at = (at + 4) % cells.length;
      if (cells[at + 1] === 0 || cells[at + 3] <= now) {
        cells[at] = high;
        cells[at + 1] = low;
        cells[at + 2] = 0;
        cells[at + 3] = now + windowSeconds;
      }
      return ++cells[at + 2] <= amount;
    };
  },
};

const expressRateLimit = {
  id: "express-rate-limit",
  name: "express-rate-limit, MemoryStore.increment",
  isAsync: true,
  make({ windowMs, amount }) {
    const store = new MemoryStore();
    store.init({ windowMs });
    return async (key) => (await store.increment(key)).totalHits <= amount;
  },
};

const rateLimiterFlexible = {
  id: "rate-limiter-flexible",
  name: "rate-limiter-flexible, RateLimiterMemory.consume",
  isAsync: true,
  make({ windowMs, amount }) {
    const limiter = new flexible.RateLimiterMemory({ points: amount, duration: windowMs / 1000 });
    return (key) =>
      limiter.consume(key).then(
        () => true,
        () => false,
      );
  },
};

const fastify = {
  id: "fastify",
  name: "@fastify/rate-limit, LocalStore.incr",
  make({ windowMs, amount, maxKeys }) {
    const LocalStore = require("@fastify/rate-limit/store/LocalStore");
    const store = new LocalStore(false, false, maxKeys);
    let count = 0;
    const counted = (_error, { current }) => {
      count = current;
    };
    return (key) => {
      store.incr(key, counted, windowMs, amount);
      return count <= amount;
    };
  },
};

/** Ours; `strategy` as the package names it. */
export const ourEngine = (strategy = "fixed-window", name = "express-limits, RateLimiter.hit") => ({
  id: `express-limits ${strategy}`,
  name,
  async make({ windowMs, amount, maxKeys }) {
    const { MemoryStorage, RateLimiter } = await importRoot();
    const limiter = new RateLimiter({ storage: new MemoryStorage({ maxKeys }), strategy });
    const limit = `${amount} per ${windowMs / 1000} seconds`;
    return (key) => limiter.hit(limit, key).allowed;
  },
});

/** Makes the key, and nothing else. */
export const keyAlone = { id: "key", name: "key alone", make: () => (key) => key.length > 0 };

/** All that keep one counter for each key in this process. */
export const engines = [map, typedArrays, ourEngine(), expressRateLimit, rateLimiterFlexible, fastify];

// A log of a billion instants is no one's limit: the moving window gets one that is mostly spent.
const movingWindow = ourEngine("moving-window", "express-limits, moving-window, 10 per second");

/** Ours by all strategies but the first. */
export const otherStrategies = [
  ourEngine("sliding-window-counter", "express-limits, sliding-window-counter"),
  ourEngine("token-bucket", "express-limits, token-bucket"),
  { ...movingWindow, make: (sized) => movingWindow.make({ ...sized, amount: 10, windowMs: 1000 }) },
];

export const engineOf = (id) => [keyAlone, ...engines, ...otherStrategies].find((engine) => engine.id === id);
