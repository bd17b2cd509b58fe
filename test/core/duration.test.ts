import fc from "fast-check";
import ms from "ms";
import { describe, expect, it, test } from "vitest";
import { parseDuration, UNIT_SPELLINGS, unitOf } from "../../src/core/duration.js";
import { ConfigurationError } from "../../src/core/errors.js";
import { MAX_WINDOW_MS, UNIT_MS } from "../../src/core/rate-limit.js";

function messageOf(value: unknown): string {
  try {
    Reflect.apply(parseDuration, undefined, [value, "storageTimeout"]);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return "no error was thrown";
}

describe("a duration", () => {
  test.each([
    { value: "500ms", milliseconds: 500 },
    { value: "500 msecs", milliseconds: 500 },
    { value: "15m", milliseconds: 900_000 },
    { value: "1.5h", milliseconds: 5_400_000 },
    { value: ".5h", milliseconds: 1_800_000 },
    { value: "2 days", milliseconds: 172_800_000 },
    { value: " 2\tDAYS ", milliseconds: 172_800_000 },
    { value: "1w", milliseconds: 604_800_000 },
    { value: "1mo", milliseconds: 2_592_000_000 },
    { value: "1y", milliseconds: 31_536_000_000 },
    { value: "1000y", milliseconds: MAX_WINDOW_MS },
    { value: "1.1h", milliseconds: 3_960_000 },
    { value: "0.001s", milliseconds: 1 },
    { value: 1, milliseconds: 1 },
    { value: 750, milliseconds: 750 },
  ])("of $value is $milliseconds ms", ({ value, milliseconds }) => {
    expect(parseDuration(value, "storageTimeout")).toBe(milliseconds);
  });

  test.each([
    { value: "500", says: 'got "500": the number has no unit, so write "500s" or "500ms".' },
    { value: "", says: 'got "": a duration starts with a number, found the end.' },
    { value: "hour", says: 'got "hour": a duration starts with a number, found "hour".' },
    { value: "5 hor", says: 'got "5 hor": "hor" is not a unit of time. Did you mean "hour"?' },
    { value: "-5s", says: 'got "-5s": a length of time has no sign.' },
    { value: "0s", says: 'got "0s": a length of time cannot be 0. Did you mean "1 second"?' },
    { value: "1.5ms", says: 'got "1.5ms": "1.5ms" is not a whole number of milliseconds.' },
    { value: "1h30m", says: 'so write "90m" instead of "1h30m".' },
    { value: "5s soon", says: 'got "5s soon": unexpected "soon" after the unit.' },
    { value: "1001y", says: '"1001y" is longer than 1,000 years.' },
    { value: "9".repeat(101), says: "it is longer than 100 characters." },
    { value: 0, says: "got 0, which is not a whole number from 1 to 31536000000000." },
    { value: -1, says: "got -1, which" },
    { value: 1.5, says: "got 1.5, which" },
    { value: Number.NaN, says: "got NaN, which" },
    { value: Number.POSITIVE_INFINITY, says: "got Infinity, which" },
    { value: MAX_WINDOW_MS + 1, says: "got 31536000000001, which" },
    { value: undefined, says: "got undefined." },
    { value: null, says: "got null." },
    { value: {}, says: "got object." },
  ])("cannot be $value: $says", ({ value, says }) => {
    const message = messageOf(value);
    expect(message).toContain('The option "storageTimeout" must be a duration such as "500ms" or "2 days"');
    expect(message).toContain(says);
  });

  it("means what it means to the ms package, years and months apart", () => {
    const units = Object.values(UNIT_SPELLINGS)
      .flat()
      .filter((spelling) => !/^(mo|y)/.test(spelling));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.constantFrom(...units), (tenths, unit) => {
        const text = `${tenths / 10} ${unit}`;
        const expected = Reflect.apply(ms, undefined, [text]);
        fc.pre(Math.abs(expected - Math.round(expected)) < 1e-6);
        expect(parseDuration(text, "windowMs")).toBe(Math.round(expected));
      }),
    );
  });

  it("is read or refused with a ConfigurationError, whatever the text", () => {
    const texts = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.stringMatching(/^ ?\d{0,5}\.?\d{0,9} ?[a-z]{0,6}$/),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(messageOf(text)).not.toBe("");
      }),
    );
  });
});

test("a word stands for a unit in any case, but only if it is in the table", () => {
  expect(unitOf("HOURS")).toBe("hour");
  expect(unitOf("mo")).toBe("month");
  expect(unitOf("fortnight")).toBeUndefined();
  expect(unitOf("constructor")).toBeUndefined();
});

test("no spelling stands for two units, and each unit is spelled by its own name", () => {
  const spellings = Object.values(UNIT_SPELLINGS).flat();
  expect(new Set(spellings).size).toBe(spellings.length);
  for (const unit of Object.keys(UNIT_MS)) expect(unitOf(unit)).toBe(unit);
});
