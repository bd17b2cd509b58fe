import { describe, expect, it } from "vitest";
import type { Decision } from "../../src/core/decision.js";
import {
  ConfigurationError,
  LimitSyntaxError,
  StorageError,
  UnsupportedStrategyError,
} from "../../src/core/errors.js";
import { parseLimit } from "../../src/core/parse-limit.js";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { RateLimit } from "../../src/core/rate-limit.js";
import { RateLimiter, type RateLimiterOptions } from "../../src/core/rate-limiter.js";
import type { Claim, HitOptions, Storage } from "../../src/core/storage.js";
import type { Verdict } from "../../src/core/strategy.js";
import { MemoryStorage } from "../../src/memory/index.js";
import { FaultyStorage, ManualClock } from "../../src/testing/index.js";

const START = 1_785_000_000_000;

function setUp(options: Partial<RateLimiterOptions> = {}) {
  const clock = new ManualClock(START);
  const storage = new MemoryStorage({ clock });
  const limiter = new RateLimiter({ storage, clock, ...options });
  return { clock, storage, limiter };
}

describe("RateLimiter", () => {
  it("tells times by the clock that it was given, whatever clock the storage has", async () => {
    const storage = new MemoryStorage();
    Object.defineProperty(storage, "decidedAt", { value: 7000 });
    expect(await new RateLimiter({ storage }).hit("2 per minute", "ann")).toMatchObject({ resetAt: 67_000 });
    const clock = new ManualClock(START);
    expect(await new RateLimiter({ storage, clock }).hit("3 per minute", "ann")).toMatchObject({
      resetAt: START + 60_000,
    });
  });

  it("admits as many hits as the limit says, then refuses and says how long", async () => {
    const { limiter, clock } = setUp();
    const limit = parseLimit("2 per minute");
    const hit = async (): Promise<Decision> => limiter.hit("2 per minute", "ann");
    const who = { key: "ann", scope: "default", limit };
    const resetAt = START + 60_000;
    expect(await hit()).toMatchObject({
      ...who,
      allowed: true,
      used: 1,
      remaining: 1,
      resetAt,
      retryAfterMs: 0,
    });
    clock.advance(10_000);
    expect(await hit()).toMatchObject({
      ...who,
      allowed: true,
      used: 2,
      remaining: 0,
      resetAt,
      retryAfterMs: 0,
    });
    expect(await hit()).toMatchObject({
      ...who,
      allowed: false,
      used: 2,
      remaining: 0,
      resetAt,
      retryAfterMs: 50_000,
    });
    clock.advance(50_000);
    expect(await hit()).toMatchObject({ allowed: true, used: 1, resetAt: START + 120_000 });
  });

  it("answers at once, without a promise, when the storage does; await works all the same", async () => {
    const { limiter } = setUp();
    const hit = limiter.hit("5 per minute", "ann");
    expect(hit).not.toBeInstanceOf(Promise);
    expect(hit).not.toHaveProperty("then");
    expect(hit).toMatchObject({ allowed: true });
    expect(limiter.test("5 per minute", "ann")).toMatchObject({ remaining: 4 });
    expect(await limiter.hit("5 per minute", "ann")).toMatchObject({ remaining: 3 });
    expect(limiter.clear("5 per minute", "ann")).toBeUndefined();
    expect(limiter.reset()).toBeUndefined();
  });

  it("answers with a promise when the storage does", async () => {
    const storage = new FaultyStorage(new MemoryStorage());
    storage.delay(1);
    const limiter = new RateLimiter({ storage });
    const hit = limiter.hit("5 per minute", "ann");
    expect(hit).toBeInstanceOf(Promise);
    expect(await hit).toMatchObject({ allowed: true, remaining: 4 });
    expect(await limiter.test("5 per minute", "ann")).toMatchObject({ remaining: 4 });
  });

  it.each(STRATEGY_NAMES)("admits exactly 5 of 100 with the strategy %s", async (strategy) => {
    const { limiter } = setUp({ strategy });
    const hits = await Promise.all(Array.from({ length: 100 }, () => limiter.hit("5 per minute", "ann")));
    expect(hits.filter((decision) => decision.allowed)).toHaveLength(5);
  });

  it("tests without charging", async () => {
    const { limiter } = setUp();
    for (let i = 0; i < 10; i++) {
      expect(await limiter.test("1 per minute", "ann")).toMatchObject({
        allowed: true,
        used: 0,
        resetAt: START,
      });
    }
    await limiter.hit("1 per minute", "ann");
    expect(await limiter.test("1 per minute", "ann")).toMatchObject({ allowed: false, retryAfterMs: 60_000 });
  });

  it("counts what is never allowed as never, not as an error", async () => {
    const { limiter } = setUp();
    const never = { allowed: false, retryAfterMs: Number.POSITIVE_INFINITY };
    expect(await limiter.hit("0 per second", "ann")).toMatchObject({ ...never, used: 0, remaining: 0 });
    expect(await limiter.hit("5 per minute", "ann", { cost: 6 })).toMatchObject({ ...never, remaining: 5 });
  });
});

describe("RateLimiter with several limits", () => {
  it("charges all of them or none", async () => {
    const { limiter, clock } = setUp();
    const limits = "2 per second; 3 per minute";
    const remaining = async (): Promise<number[]> =>
      (await limiter.test(limits, "ann")).limits.map((limit) => limit.remaining);
    expect((await limiter.hit(limits, "ann")).allowed).toBe(true);
    expect((await limiter.hit(limits, "ann")).allowed).toBe(true);
    expect((await limiter.hit(limits, "ann")).allowed).toBe(false);
    expect(await remaining()).toEqual([0, 1]);
    clock.advance(1000);
    expect((await limiter.hit(limits, "ann")).allowed).toBe(true);
    const refused = await limiter.hit(limits, "ann");
    expect(refused.limits.map((limit) => limit.allowed)).toEqual([true, false]);
    expect(await remaining()).toEqual([1, 0]);
  });

  it("gives each limit's decision in the order given", async () => {
    const { limiter } = setUp();
    const decision = await limiter.hit(["5 per hour", parseLimit("1 per second")], "ann");
    expect(decision.limits.map(({ limit }) => String(limit))).toEqual(["5 per 1 hour", "1 per 1 second"]);
  });

  it("shows the longest wait of a refusal", async () => {
    const { limiter } = setUp();
    await limiter.hit("1 per second; 1 per hour; 1 per minute", "ann");
    const refused = await limiter.hit("1 per second; 1 per hour; 1 per minute", "ann");
    expect(refused).toMatchObject({ allowed: false, retryAfterMs: 3_600_000 });
    expect(String(refused.limit)).toBe("1 per 1 hour");
  });

  it("shows a refusal rather than a pass, otherwise the smallest window, then the least remaining", async () => {
    const { limiter } = setUp();
    const shown = async (limits: string): Promise<string> =>
      String((await limiter.test(limits, "ann")).limit);
    await limiter.hit("1 per hour", "ann");
    expect(await shown("5 per second; 1 per hour")).toBe("1 per 1 hour");
    expect(await shown("5 per hour; 9 per second; 2 per day")).toBe("9 per 1 second");
    expect(await shown("9 per minute; 2 per minute; 5 per minute")).toBe("2 per 1 minute");
  });

  it("counts the same limit once, however often it is written", async () => {
    const { limiter } = setUp();
    const decision = await limiter.hit(
      ["2 per minute", "2/minute; 2 per 60 seconds", new RateLimit(2, 1, "minute")],
      "ann",
    );
    expect(decision.limits).toHaveLength(1);
    expect(decision).toMatchObject({ used: 1, remaining: 1 });
  });

  it("takes text, values and lists of both", async () => {
    const { limiter } = setUp();
    for (const limits of [
      "1 per day",
      parseLimit("2 per day"),
      [],
      ["3 per day; 4 per day", parseLimit("5 per day")],
    ]) {
      if (Array.isArray(limits) && limits.length === 0) continue;
      expect((await limiter.hit(limits, "ann")).allowed).toBe(true);
    }
  });
});

describe("RateLimiter's counters", () => {
  it("are one for each key, scope, limit and strategy", async () => {
    const { limiter } = setUp();
    const used = async (limits: string, key: string, options = {}): Promise<number> =>
      (await limiter.hit(limits, key, options)).used;
    expect(await used("5 per minute", "ann")).toBe(1);
    expect(await used("5 per minute", "ann")).toBe(2);
    expect(await used("5 per minute", "bob")).toBe(1);
    expect(await used("5 per minute", "ann", { scope: "login" })).toBe(1);
    expect(await used("6 per minute", "ann")).toBe(1);
    expect(await used("5 per minute", "ann", { strategy: "token-bucket" })).toBe(1);
    expect(await used("5 per minute", "ann", { strategy: "token-bucket", burst: 9 })).toBe(1);
    expect(await used("5 per minute", "ann", { scope: "default" })).toBe(3);
  });

  it.each([
    [{ scope: "a:b" }, { scope: "a", key: "b:ann" }],
    [{ key: "ann}:shared:x" }, { key: "ann", scope: "x" }],
    [{ key: "@192.0.2.1" }, { key: "192.0.2.1" }],
    [{ key: "a b" }, { key: "a%0020b" }],
    [{ key: "x".repeat(200) }, { key: "x".repeat(201) }],
    [{ key: "__proto__" }, { key: "constructor" }],
  ])("are not mixed up: %o and %o", async (one, other) => {
    const { limiter } = setUp();
    const hit = ({ key = "ann", scope = "default" }: { readonly key?: string; readonly scope?: string }) =>
      limiter.hit("1 per minute", key, { scope });
    expect(await hit(one)).toMatchObject({ allowed: true, ...one });
    expect(await hit(other)).toMatchObject({ allowed: true });
    expect(await hit(one)).toMatchObject({ allowed: false });
  });

  it("are charged by cost; a cost of 0 only looks", async () => {
    const { limiter } = setUp();
    expect(await limiter.hit("10 per minute", "ann", { cost: 7 })).toMatchObject({
      allowed: true,
      remaining: 3,
    });
    expect(await limiter.hit("10 per minute", "ann", { cost: 4 })).toMatchObject({
      allowed: false,
      remaining: 3,
    });
    expect(await limiter.hit("10 per minute", "ann", { cost: 0 })).toMatchObject({
      allowed: true,
      remaining: 3,
    });
    expect(await limiter.hit("10 per minute", "ann", { cost: 3 })).toMatchObject({
      allowed: true,
      remaining: 0,
    });
  });

  it("have the burst as their capacity", async () => {
    const { limiter } = setUp({ strategy: "token-bucket" });
    const decision = await limiter.hit("1 per second", "ann", { burst: 5 });
    expect(decision).toMatchObject({ used: 1, remaining: 4, resetAt: START + 1000 });
  });

  it("are forgotten one by one by clear", async () => {
    const { limiter } = setUp();
    for (const key of ["ann", "bob"]) await limiter.hit("1 per minute; 1 per hour", key);
    await limiter.clear("1 per minute; 1 per hour", "ann");
    expect((await limiter.hit("1 per minute; 1 per hour", "ann")).allowed).toBe(true);
    expect((await limiter.hit("1 per minute; 1 per hour", "bob")).allowed).toBe(false);
    await limiter.clear("1 per minute", "nobody");
  });

  it("are cleared in the scope, strategy and burst that are named", async () => {
    const { limiter } = setUp();
    const options = { scope: "login", strategy: "token-bucket", burst: 2 } as const;
    await limiter.hit("1 per minute", "ann", { ...options, cost: 2 });
    await limiter.clear("1 per minute", "ann");
    expect((await limiter.test("1 per minute", "ann", options)).allowed).toBe(false);
    await limiter.clear("1 per minute", "ann", options);
    expect((await limiter.test("1 per minute", "ann", options)).remaining).toBe(2);
  });

  it("are forgotten all at once by reset, under the limiter's own prefix only", async () => {
    const { storage } = setUp();
    const [api, apis] = ["api", "api:2"].map((keyPrefix) => new RateLimiter({ storage, keyPrefix }));
    for (const limiter of [api, apis]) await limiter?.hit("1 per minute", "ann");
    await api?.reset();
    expect((await api?.test("1 per minute", "ann"))?.allowed).toBe(true);
    expect((await apis?.test("1 per minute", "ann"))?.allowed).toBe(false);
  });

  it("are shared by limiters with the same prefix on one storage", async () => {
    const { storage, limiter } = setUp();
    await limiter.hit("1 per minute", "ann");
    expect((await new RateLimiter({ storage }).hit("1 per minute", "ann")).allowed).toBe(false);
  });
});

describe("RateLimiter's errors", () => {
  it.each(["", undefined, null, 42, {}])("say that the key %j is none", (key) => {
    const { limiter } = setUp();
    expect(() => limiter.hit("1 per minute", key as string)).toThrow(ConfigurationError);
  });

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, "1"])(
    "say that the cost %j is none",
    (cost) => {
      const { limiter } = setUp();
      expect(() => limiter.hit("1 per minute", "ann", { cost: cost as number })).toThrow(/cost/);
      expect(() => limiter.hit("1 per minute", "ann", { cost: cost as number })).toThrow(ConfigurationError);
    },
  );

  it("name the place in a limit that cannot be read", () => {
    expect(() => setUp().limiter.hit("10 per hor", "ann")).toThrow(LimitSyntaxError);
  });

  it("refuse an empty list of limits", () => {
    expect(() => setUp().limiter.hit([], "ann")).toThrow(ConfigurationError);
    expect(() => setUp().limiter.test([], "ann")).toThrow(ConfigurationError);
  });

  it("refuse the answer of a storage that leaves a limit out", async () => {
    class Forgetful extends MemoryStorage {
      override hit(claims: readonly Claim[], options: HitOptions): readonly Verdict[] {
        return super.hit(claims, options).slice(1);
      }
    }
    const limiter = new RateLimiter({ storage: new Forgetful() });
    for (const limits of ["1 per minute", "1 per minute; 2 per hour"]) {
      expect(() => limiter.hit(limits, "ann")).toThrow(StorageError);
    }
  });

  it.each([0, -1, 1.5, Number.NaN])("refuse a burst of %d", (burst) => {
    const { limiter } = setUp({ strategy: "token-bucket" });
    expect(() => limiter.hit("1 per minute", "ann", { burst })).toThrow(/burst/);
  });

  it("refuse a burst with any other strategy", () => {
    expect(() => setUp().limiter.hit("1 per minute", "ann", { burst: 5 })).toThrow(/burst.*token-bucket/);
  });

  it.each(["leaky", "", "__proto__", "constructor"])("refuse the strategy %j", (strategy) => {
    const { limiter } = setUp();
    const options = { strategy: strategy as "fixed-window" };
    expect(() => limiter.hit("1 per minute", "ann", options)).toThrow(ConfigurationError);
  });

  it("refuse a strategy that the storage cannot run", () => {
    const whole = new MemoryStorage();
    const storage: Storage = {
      name: "half",
      strategies: ["fixed-window"],
      hit: (claims, options) => whole.hit(claims, options),
      test: (claims) => whole.test(claims),
      refund: (charges) => whole.refund(charges),
      clear: (claims) => whole.clear(claims),
      reset: (prefix) => whole.reset(prefix),
      check: () => whole.check(),
    };
    const limiter = new RateLimiter({ storage });
    expect(() => limiter.hit("1 per minute", "ann", { strategy: "token-bucket" })).toThrow(
      UnsupportedStrategyError,
    );
    expect(() => limiter.hit("1 per minute", "ann", { strategy: "token-bucket" })).toThrow(
      /half.*fixed-window/,
    );
    expect(() => new RateLimiter({ storage, strategy: "token-bucket" })).toThrow(UnsupportedStrategyError);
  });

  it("pass on the storage's failure as it came", async () => {
    const storage = new FaultyStorage(new MemoryStorage());
    const limiter = new RateLimiter({ storage });
    const failure = new Error("connect ECONNREFUSED");
    storage.fail(failure);
    await expect(limiter.hit("1 per minute", "ann")).rejects.toBe(failure);
    await expect(limiter.test("1 per minute", "ann")).rejects.toBe(failure);
    await expect(limiter.clear("1 per minute", "ann")).rejects.toBe(failure);
    await expect(limiter.reset()).rejects.toBe(failure);
  });

  it("charge nothing", async () => {
    const { limiter } = setUp();
    expect(() => limiter.hit(["1 per minute", "1 per hor"], "ann")).toThrow();
    expect(() => limiter.hit("1 per minute", "ann", { cost: -1 })).toThrow();
    expect(await limiter.test("1 per minute", "ann")).toMatchObject({ remaining: 1 });
  });
});
