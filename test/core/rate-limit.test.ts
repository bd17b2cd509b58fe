import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { ConfigurationError } from "../../src/core/errors.js";
import { MAX_WINDOW_MS, RateLimit, UNIT_MS, type Unit } from "../../src/core/rate-limit.js";

describe("a limit", () => {
  test.each([
    { unit: "millisecond", windowMs: 3 },
    { unit: "second", windowMs: 3_000 },
    { unit: "minute", windowMs: 180_000 },
    { unit: "hour", windowMs: 10_800_000 },
    { unit: "day", windowMs: 259_200_000 },
    { unit: "week", windowMs: 1_814_400_000 },
    { unit: "month", windowMs: 7_776_000_000 },
    { unit: "year", windowMs: 94_608_000_000 },
  ] as const)("of 3 $unit has a window of $windowMs ms", ({ unit, windowMs }) => {
    expect(new RateLimit(10, 3, unit)).toMatchObject({ amount: 10, multiples: 3, unit, windowMs });
  });

  it("is written with its number and a singular unit, as text and in JSON", () => {
    const limit = new RateLimit(10, 2, "hour");
    expect(String(limit)).toBe("10 per 2 hour");
    expect(String(new RateLimit(2, 1, "minute"))).toBe("2 per 1 minute");
    expect(JSON.stringify({ limit })).toBe('{"limit":"10 per 2 hour"}');
  });

  it("equals a limit of the same amount in the same time, however written", () => {
    const limit = new RateLimit(60, 1, "minute");
    expect(limit.equals(new RateLimit(60, 60, "second"))).toBe(true);
    expect(limit.equals(new RateLimit(61, 1, "minute"))).toBe(false);
    expect(limit.equals(new RateLimit(60, 61, "second"))).toBe(false);
  });

  it("comes before those with a longer window, then before those with a greater amount", () => {
    const limits = [
      new RateLimit(1, 1, "day"),
      new RateLimit(5, 1, "minute"),
      new RateLimit(9, 30, "second"),
      new RateLimit(3, 60, "second"),
    ];
    expect(limits.sort(RateLimit.compare).map(String)).toEqual([
      "9 per 30 second",
      "3 per 60 second",
      "5 per 1 minute",
      "1 per 1 day",
    ]);
  });

  it("compares as 0 exactly with its equals", () => {
    const units: readonly Unit[] = ["second", "minute", "hour"];
    const limits = fc
      .tuple(fc.nat({ max: 2 }), fc.constantFrom(1, 60, 3600), fc.constantFrom(...units))
      .map(([amount, multiples, unit]) => new RateLimit(amount, multiples, unit));
    fc.assert(
      fc.property(limits, limits, (a, b) => {
        expect(RateLimit.compare(a, b) === 0).toBe(a.equals(b));
        expect(Math.sign(RateLimit.compare(a, b))).toBe(0 - Math.sign(RateLimit.compare(b, a)));
      }),
    );
  });

  it("may have the amount 0 and the greatest amount and window", () => {
    expect(new RateLimit(0, 1, "second").amount).toBe(0);
    expect(new RateLimit(Number.MAX_SAFE_INTEGER, 1000, "year").windowMs).toBe(MAX_WINDOW_MS);
  });

  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
    "cannot have the amount %s",
    (amount) => {
      expect(() => new RateLimit(amount, 1, "second")).toThrow(ConfigurationError);
      expect(() => new RateLimit(amount, 1, "second")).toThrow(`got ${amount}.`);
    },
  );

  test.each([
    { multiples: 0, unit: "second" },
    { multiples: -1, unit: "second" },
    { multiples: 0.5, unit: "hour" },
    { multiples: Number.NaN, unit: "hour" },
    { multiples: Number.POSITIVE_INFINITY, unit: "hour" },
    { multiples: 1001, unit: "year" },
    { multiples: MAX_WINDOW_MS / UNIT_MS.second + 1, unit: "second" },
  ] as const)("cannot have a window of $multiples $unit", ({ multiples, unit }) => {
    expect(() => new RateLimit(1, multiples, unit)).toThrow(ConfigurationError);
    expect(() => new RateLimit(1, multiples, unit)).toThrow(`got ${multiples} ${unit}.`);
  });

  test.each(["fortnight", "hours", "", "constructor", "toString"])("cannot have the unit %j", (unit) => {
    expect(() => Reflect.construct(RateLimit, [1, 1, unit])).toThrow(ConfigurationError);
  });
});
