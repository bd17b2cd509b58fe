import { describe, expect, it } from "vitest";
import { parseLimit } from "../../../src/core/parse-limit.js";
import { createPolicy, STRATEGY_NAMES } from "../../../src/core/policy.js";
import type { StrategyName } from "../../../src/core/strategy.js";
import { Counter } from "./counter.js";

const HOUR_MS = 3_600_000;
const LIMITS = [
  "1 per second",
  "5 per minute",
  "7 per second",
  "10 per 500ms",
  "3 per 1.5h",
  "100 per 7 days",
  "20 per month",
  "365 per year",
  "99991 per minute",
];

/** How long a client who spent everything at once waits for one unit: the sliding counter first lets it fade. */
function longestWaitMs(strategy: StrategyName, limit: string): number {
  const { amount, windowMs } = parseLimit(limit);
  const unitMs = Math.ceil(windowMs / amount);
  if (strategy === "token-bucket") return unitMs + 1;
  return strategy === "sliding-window-counter" ? windowMs + unitMs : windowMs;
}

describe.each(STRATEGY_NAMES)("%s", (strategy) => {
  it("admits exactly 5 of 100 hits at one instant on 5 per minute", () => {
    expect(Counter.of("5 per minute", strategy).admitted(1_000_000, 100)).toBe(5);
  });

  it.each(LIMITS)("denies one millisecond before retryAfterMs and admits at it: %s", (limit) => {
    const counter = Counter.of(limit, strategy);
    const start = 12_345;
    counter.admitted(start, counter.policy.capacity);
    let now = start;
    for (let round = 0; round < 5; round++) {
      const { allowed, retryAfterMs } = counter.hit(now);
      expect(allowed).toBe(false);
      expect(counter.test(now + retryAfterMs - 1).allowed).toBe(false);
      expect(counter.test(now + retryAfterMs).allowed).toBe(true);
      now += retryAfterMs;
      while (counter.test(now).allowed) counter.hit(now);
    }
  });

  it.each(LIMITS)("refuses longest for as long as the strategy allows: %s", (limit) => {
    const counter = Counter.of(limit, strategy);
    counter.hit(0, counter.policy.capacity);
    const { retryAfterMs } = counter.hit(0);
    expect(retryAfterMs).toBeLessThanOrEqual(longestWaitMs(strategy, limit));
    if (limit !== "99991 per minute")
      expect(retryAfterMs).toBeGreaterThanOrEqual(longestWaitMs(strategy, limit) - 1);
  });

  it.each(["20 per month", "2 per year", "1 per 10 years"])("keeps %s to the millisecond", (limit) => {
    const counter = Counter.of(limit, strategy);
    const { amount, windowMs } = counter.policy.limit;
    const start = 1_785_000_000_123;
    expect(counter.admitted(start, 30)).toBe(amount);
    const wait = strategy === "token-bucket" ? windowMs / amount : longestWaitMs(strategy, limit);
    expect(counter.hit(start + 1).retryAfterMs).toBe(wait - 1);
    expect(counter.hit(start + wait - 1).allowed).toBe(false);
    expect(counter.hit(start + wait).allowed).toBe(true);
  });

  it.each(["1 per second", "5 per minute", "20 per hour", "3 per day"])(
    "locks nobody out for longer than the window when the clock steps back an hour: %s",
    (limit) => {
      const counter = Counter.of(limit, strategy);
      counter.hit(10 * HOUR_MS, counter.policy.capacity);
      const { remaining, retryAfterMs, resetAfterMs } = counter.test(9 * HOUR_MS);
      const longest = longestWaitMs(strategy, limit);
      expect(remaining).toBeGreaterThanOrEqual(0);
      expect(retryAfterMs).toBeLessThanOrEqual(longest);
      expect(resetAfterMs).toBeLessThanOrEqual(longest);
      expect(counter.hit(9 * HOUR_MS).retryAfterMs).toBeLessThanOrEqual(longest);
      expect(counter.hit(9 * HOUR_MS + longest).allowed).toBe(true);
    },
  );

  it("refuses everything, for ever, at an amount of 0", () => {
    const counter = Counter.of("0 per second", strategy);
    const never = { allowed: false, remaining: 0, retryAfterMs: Number.POSITIVE_INFINITY };
    expect(counter.test(0)).toMatchObject(never);
    expect(counter.hit(0)).toMatchObject(never);
    expect(counter.hit(1_000_000, 1000)).toMatchObject(never);
  });

  it("changes nothing by a test, a refusal or a cost of 0", () => {
    const counter = Counter.of("5 per minute", strategy);
    counter.hit(0, 4);
    const before = counter.test(1000, 2);
    for (let i = 0; i < 10; i++) {
      counter.test(1000, 3);
      expect(counter.hit(1000, 2).allowed).toBe(false);
      expect(counter.hit(1000, 0).allowed).toBe(true);
      expect(counter.hit(1000, 6).retryAfterMs).toBe(Number.POSITIVE_INFINITY);
    }
    expect(counter.test(1000, 2)).toEqual(before);
  });

  it("owes nothing at first, everything when full, and half in between", () => {
    const counter = Counter.of("10 per minute", strategy);
    expect(counter.debt(0)).toBe(0);
    counter.hit(0, 5);
    expect(counter.debt(0)).toBeCloseTo(0.5);
    counter.hit(0, 5);
    expect(counter.debt(0)).toBeCloseTo(1);
    expect(counter.debt(120_000)).toBe(0);
  });

  it("takes amounts up to 2^53 - 1", () => {
    const counter = new Counter(createPolicy(parseLimit(`${Number.MAX_SAFE_INTEGER} per day`), strategy));
    const verdict = counter.hit(0);
    expect(verdict.allowed).toBe(true);
    expect(verdict.remaining).toBeLessThan(Number.MAX_SAFE_INTEGER);
    expect(verdict.remaining).toBeGreaterThan(Number.MAX_SAFE_INTEGER - 10_000);
    expect(counter.hit(1, Number.MAX_SAFE_INTEGER - 1_000_000_000_000).allowed).toBe(true);
  });
});

describe("a bucket whose burst was lowered", () => {
  it("is empty for no longer than the lower burst takes to fill", () => {
    const [high, low] = [100, 5].map((burst) =>
      createPolicy(parseLimit("1 per second"), "token-bucket", burst),
    );
    if (high === undefined || low === undefined) return;
    const { state } = high.strategy.hit(undefined, high, 100, 0);
    expect(low.strategy.hit(state, low, 1, 0)).toMatchObject({
      allowed: false,
      remaining: 0,
      retryAfterMs: 1000,
    });
    expect(low.strategy.hit(state, low, 5, 0)).toMatchObject({ allowed: false, retryAfterMs: 5000 });
  });
});
