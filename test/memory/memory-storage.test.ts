import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { ClientClaim, KeyedClaim } from "../../src/core/claim.js";
import { ConfigurationError } from "../../src/core/errors.js";
import { escapeKeyPart, KeyPlace, keyHead } from "../../src/core/key.js";
import { parseLimit } from "../../src/core/parse-limit.js";
import { BLOCK_POLICY, createPolicy, STRATEGY_NAMES } from "../../src/core/policy.js";
import { RateLimiter } from "../../src/core/rate-limiter.js";
import type { Claim } from "../../src/core/storage.js";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import type { StrategyName, Verdict } from "../../src/core/strategy.js";
import { MemoryStorage } from "../../src/memory/index.js";
import { ManualClock, storageContract } from "../../src/testing/index.js";

const HOUR_MS = 3_600_000;
const sleep = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

storageContract({ describe, it }, () => {
  const clock = new ManualClock();
  return { storage: new MemoryStorage({ clock }), advance: (ms) => clock.advance(ms) };
});

describe("in real time", () => {
  storageContract({ describe, it: it.concurrent }, () => ({ storage: new MemoryStorage(), advance: sleep }), {
    clock: "real",
    shortestWindowMs: 200,
  });
});

function claimOf(limit: string, who: string, strategy: StrategyName = "fixed-window"): Claim {
  const policy = createPolicy(parseLimit(limit), strategy);
  return { policy, key: `test:{${who}}:${policy.id}`, cost: 1, role: "limit" };
}

function hit(storage: MemoryStorage, claim: Claim, times = 1): Verdict | undefined {
  let last: Verdict | undefined;
  for (let i = 0; i < times; i++) [last] = storage.hit([claim], ALL_OR_NOTHING);
  return last;
}

describe("MemoryStorage", () => {
  it("answers at once, without a promise", () => {
    const storage = new MemoryStorage();
    const claim = claimOf("5 per minute", "ann");
    expect(Array.isArray(storage.hit([claim], ALL_OR_NOTHING))).toBe(true);
    expect(Array.isArray(storage.test([claim]))).toBe(true);
    expect(storage.refund([])).toBeUndefined();
    expect(storage.clear([claim])).toBeUndefined();
    expect(storage.reset("")).toBeUndefined();
    expect(storage.check()).toBe(true);
  });

  it("tells the wall time of what it decided, and follows a clock that is set", async () => {
    const storage = new MemoryStorage();
    const claim = claimOf("1000 per minute", "ann");
    const decidedNow = () => {
      const from = Date.now();
      hit(storage, claim);
      return { from, at: storage.decidedAt, to: Date.now() };
    };
    for (let i = 0; i < 100; i++) {
      const { from, at, to } = decidedNow();
      expect(at).toBeGreaterThanOrEqual(from - 1);
      expect(at).toBeLessThanOrEqual(to + 1);
      await sleep(i % 3);
    }
    const real = Date.now.bind(Date);
    onTestFinished(() => void vi.restoreAllMocks());
    vi.spyOn(Date, "now").mockImplementation(() => real() - HOUR_MS);
    await sleep(15);
    const { from, at, to } = decidedNow();
    expect(at).toBeGreaterThanOrEqual(from - 1);
    expect(at).toBeLessThanOrEqual(to + 1);
  });

  it("tells no wall time where it goes by another clock", () => {
    const storage = new MemoryStorage({ clock: new ManualClock() });
    hit(storage, claimOf("5 per minute", "ann"));
    expect(storage.decidedAt).toBeUndefined();
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "10"])("refuses maxKeys of %s", (maxKeys) => {
    expect(() => new MemoryStorage({ maxKeys: maxKeys as number })).toThrow(ConfigurationError);
    expect(() => new MemoryStorage({ maxKeys: maxKeys as number })).toThrow(/maxKeys/);
  });

  it("means the same counter however a claim names the client, whatever is in the name", () => {
    const storage = new MemoryStorage();
    const policy = createPolicy(parseLimit("1000 per hour"), "fixed-window");
    const place = new KeyPlace(keyHead("app"), "counter", policy.id);
    const names = [
      "ann",
      "a b",
      "a%0020b",
      "a%00250020b",
      "@ann",
      "ann}",
      "日本",
      "ÿ",
      "\0",
      "x".repeat(120),
    ];
    names.push("x".repeat(121), `${"x".repeat(120)} `, " ".repeat(25), "");
    for (const [i, who] of [...names, ...names].entries()) {
      const owner = escapeKeyPart(who);
      const byClient = new ClientClaim(policy, place, who, "", 1);
      const byOwner = new KeyedClaim({ policy, place, owner, cost: 1, role: "limit", who: "", scope: "" });
      const byKey: Claim = { policy, key: place.keyOf(owner), cost: 1, role: "limit" };
      const order = [byClient, byOwner, byKey, byClient, byKey, byOwner, byClient];
      const spent = order.map((claim) => 1000 - (hit(storage, claim)?.remaining ?? Number.NaN));
      expect(spent, JSON.stringify(who)).toEqual(order.map((_, n) => (i < names.length ? 0 : 7) + n + 1));
    }
    expect(storage.size).toBe(names.length);
  });

  it("follows the clock of a limiter, unless it was given one of its own", async () => {
    const [own, lent] = [new ManualClock(), new ManualClock()];
    const free = new MemoryStorage();
    free.useClock(lent);
    const bound = new MemoryStorage({ clock: own });
    bound.useClock(lent);
    const claim = claimOf("1 per minute", "ann");
    for (const storage of [free, bound]) hit(storage, claim);
    lent.advance(60_000);
    expect(free.test([claim])[0]?.allowed).toBe(true);
    expect(bound.test([claim])[0]?.allowed).toBe(false);
  });

  it("keeps nothing for tests, refusals that were never charged, and costs of 0", () => {
    const storage = new MemoryStorage();
    for (const strategy of STRATEGY_NAMES) {
      const claim = claimOf("5 per minute", strategy, strategy);
      storage.test([claim]);
      hit(storage, { ...claim, cost: 0 });
      hit(storage, { ...claim, cost: 6 });
      hit(storage, claimOf("0 per second", strategy, strategy));
    }
    expect(storage.size).toBe(0);
  });
});

describe("MemoryStorage's time", () => {
  it.each(STRATEGY_NAMES)("goes on when the clock steps back an hour: %s", (strategy) => {
    const clock = new ManualClock(10 * HOUR_MS);
    const storage = new MemoryStorage({ clock });
    const claim = claimOf("1 per minute", "ann", strategy);
    hit(storage, claim);
    clock.advance(20_000);
    const before = storage.test([claim])[0]?.retryAfterMs ?? Number.NaN;
    clock.set(9 * HOUR_MS);
    expect(storage.test([claim])[0]?.retryAfterMs).toBe(before);
    clock.advance(before - 1);
    expect(hit(storage, claim)?.allowed).toBe(false);
    clock.advance(1);
    expect(hit(storage, claim)?.allowed).toBe(true);
  });

  it("frees nothing early when the clock steps back and forth", () => {
    const clock = new ManualClock(HOUR_MS);
    const storage = new MemoryStorage({ clock });
    const claim = claimOf("1 per minute", "ann", "moving-window");
    hit(storage, claim);
    for (let i = 0; i < 50; i++) {
      clock.set(0);
      storage.test([claim]);
      clock.advance(1000);
      storage.test([claim]);
    }
    expect(storage.test([claim])[0]).toMatchObject({ allowed: false, retryAfterMs: 10_000 });
  });

  it("reckons in whole milliseconds under a clock with fractions", () => {
    const clock = new ManualClock(0.7);
    const storage = new MemoryStorage({ clock });
    const claim = claimOf("3 per second", "ann", "moving-window");
    clock.advance(0.6);
    expect(hit(storage, claim)?.resetAfterMs).toBe(1000);
    clock.advance(0.6);
    expect(Number.isInteger(storage.test([claim])[0]?.resetAfterMs)).toBe(true);
  });
});

describe("MemoryStorage's bounds", () => {
  it.each(STRATEGY_NAMES)(
    "neither free a blocked client nor grow past maxKeys under 300,000 fresh keys: %s",
    (strategy) => {
      const clock = new ManualClock();
      const maxKeys = 10_000;
      const storage = new MemoryStorage({ clock, maxKeys });
      const victim = claimOf("5 per minute", "victim", strategy);
      hit(storage, victim, 5);
      const block: Claim = { policy: BLOCK_POLICY, key: "test:{victim}:block", cost: HOUR_MS, role: "meta" };
      storage.hit([block, victim], ALL_OR_NOTHING);
      const { policy } = claimOf("5 per minute", "", strategy);
      let largest = 0;
      for (let i = 0; i < 300_000; i++) {
        hit(storage, { policy, key: `test:{fresh-${i}}:${policy.id}`, cost: 1, role: "limit" });
        largest = Math.max(largest, storage.size);
      }
      expect(largest).toBe(maxKeys);
      expect(storage.test([victim])[0]).toMatchObject({ allowed: false, remaining: 0 });
      expect(storage.test([block])[0]).toMatchObject({ allowed: false, retryAfterMs: HOUR_MS });
    },
  );

  it.each([
    { blocked: 100, fresh: 300_000, mayBeFreed: 0 },
    { blocked: 2000, fresh: 100_000, mayBeFreed: 1000 },
  ])(
    "keep blocked clients blocked, though they come to stand side by side: $blocked of 10,000 keys",
    ({ blocked, fresh, mayBeFreed }) => {
      const storage = new MemoryStorage({ clock: new ManualClock(), maxKeys: 10_000 });
      const victims = Array.from({ length: blocked }, (_, i) => claimOf("5 per minute", `victim-${i}`));
      const others = Math.floor(8000 / blocked);
      victims.forEach((victim, i) => {
        hit(storage, victim, 5);
        for (let j = 0; j < others; j++) hit(storage, claimOf("5 per minute", `other-${i}-${j}`));
      });
      const { policy } = claimOf("5 per minute", "");
      for (let i = 0; i < fresh; i++) {
        hit(storage, { policy, key: `test:{fresh-${i}}:${policy.id}`, cost: 1, role: "limit" });
      }
      const freed = storage.test(victims).filter((verdict) => verdict.allowed).length;
      expect(freed).toBeLessThanOrEqual(mayBeFreed);
    },
  );

  it("keep a client blocked under fresh keys that time spreads over its window", () => {
    const clock = new ManualClock();
    const storage = new MemoryStorage({ clock, maxKeys: 1000 });
    const victim = claimOf("5 per hour", "victim");
    hit(storage, victim, 5);
    for (let i = 0; i < 100_000; i++) {
      if (i % 30 === 0) clock.advance(1000);
      hit(storage, claimOf("5 per minute", `fresh-${i}`));
    }
    expect(storage.test([victim])[0]?.allowed).toBe(false);
    expect(storage.size).toBeLessThanOrEqual(1000);
  });

  it("drop expired entries in passing, without a timer", () => {
    const clock = new ManualClock();
    const storage = new MemoryStorage({ clock });
    for (let i = 0; i < 10_000; i++) hit(storage, claimOf("5 per second", `old-${i}`));
    expect(storage.size).toBe(10_000);
    clock.advance(1000);
    for (let i = 0; i < 10_000; i++) hit(storage, claimOf("5 per minute", `new-${i}`));
    expect(storage.size).toBeLessThanOrEqual(10_001);
    expect(storage.size).toBeGreaterThanOrEqual(10_000);
  });

  it("do not grow under a steady stream of short-lived clients", () => {
    const clock = new ManualClock();
    const storage = new MemoryStorage({ clock });
    let largest = 0;
    for (let i = 0; i < 100_000; i++) {
      clock.advance(1);
      hit(storage, claimOf("5 per second", `client-${i}`));
      largest = Math.max(largest, storage.size);
    }
    expect(largest).toBeLessThan(4000);
  });

  it("prefer expired entries to live ones when room is made", () => {
    const clock = new ManualClock();
    const storage = new MemoryStorage({ clock, maxKeys: 10 });
    const expired = Array.from({ length: 5 }, (_, i) => claimOf("1 per second", `old-${i}`));
    const live = Array.from({ length: 5 }, (_, i) => claimOf("9 per hour", `live-${i}`));
    for (const claim of [...expired, ...live]) hit(storage, claim);
    clock.advance(1000);
    for (let i = 0; i < 5; i++) hit(storage, claimOf("1 per hour", `new-${i}`));
    for (const claim of live) expect(storage.test([claim])[0]?.remaining).toBe(8);
  });

  it("hold at 1 key", () => {
    const storage = new MemoryStorage({ maxKeys: 1 });
    for (let i = 0; i < 100; i++) {
      expect(hit(storage, claimOf("5 per minute", `client-${i}`))?.allowed).toBe(true);
      expect(storage.size).toBe(1);
    }
  });

  it("hold while counters are cleared, reset and charged again", () => {
    const clock = new ManualClock();
    const storage = new MemoryStorage({ clock, maxKeys: 100 });
    for (let i = 0; i < 20_000; i++) {
      const claim = claimOf("5 per minute", `client-${i % 317}`);
      hit(storage, claim);
      if (i % 3 === 0) storage.clear([claim]);
      if (i % 997 === 0) storage.reset("test:");
      if (i % 50 === 0) clock.advance(10_000);
      expect(storage.size).toBeLessThanOrEqual(100);
    }
  });
});

describe("MemoryStorage in a process", () => {
  it("keeps no process alive: it ends when its work does", async () => {
    const folder = await mkdtemp(join(tmpdir(), "memory-storage-"));
    try {
      const program = join(folder, "program.mjs");
      await build({
        stdin: {
          contents: `
            import { RateLimiter } from "./src/core/index.ts";
            import { MemoryStorage } from "./src/memory/index.ts";
            const limiter = new RateLimiter({ storage: new MemoryStorage() });
            for (let i = 0; i < 1000; i++) limiter.hit("5 per day", "client-" + i);
            console.log(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length);`,
          resolveDir: join(import.meta.dirname, "../.."),
          loader: "ts",
        },
        bundle: true,
        platform: "node",
        format: "esm",
        outfile: program,
      });
      const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 10_000 });
      expect(stdout.trim()).toBe("0");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("serves a limiter in a hot loop without a promise or a pause", () => {
    const limiter = new RateLimiter({ storage: new MemoryStorage() });
    let longestMs = 0;
    for (let i = 0; i < 100_000; i++) {
      const startedAt = performance.now();
      limiter.hit("100 per minute", `client-${i}`);
      longestMs = Math.max(longestMs, performance.now() - startedAt);
    }
    expect(longestMs).toBeLessThan(500);
  });
});
