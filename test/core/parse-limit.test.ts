import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { UNIT_SPELLINGS } from "../../src/core/duration.js";
import { LimitSyntaxError } from "../../src/core/errors.js";
import { parseLimit, parseLimits } from "../../src/core/parse-limit.js";
import { MAX_WINDOW_MS, RateLimit, UNIT_MS, type Unit } from "../../src/core/rate-limit.js";
import { almostLimitTexts, invalidLimitTexts, validLimitTexts } from "../helpers/limit-texts.js";

const UNITS: readonly Unit[] = ["millisecond", "second", "minute", "hour", "day", "week", "month", "year"];

function syntaxErrorOf(read: () => unknown): LimitSyntaxError {
  try {
    read();
  } catch (error) {
    if (error instanceof LimitSyntaxError) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}

/** Calls from JavaScript are not held back by the types. */
function callUntyped(read: (text: string) => unknown, value: unknown): unknown {
  return Reflect.apply(read, undefined, [value]);
}

describe("a text of limits", () => {
  test.each(validLimitTexts)("$text means $means", ({ text, means }) => {
    expect(parseLimits(text).join()).toBe(means);
  });

  test.each(invalidLimitTexts)("$text stops at $at and says: $says", ({ text, at, says }) => {
    const error = syntaxErrorOf(() => parseLimits(text));
    expect(error).toMatchObject({ name: "LimitSyntaxError", code: "LIMIT_SYNTAX", text, position: at });
    expect(error.message).toContain(says);
    expect(error.message).toContain(`at character ${at + 1}:`);
  });

  it("may spell each unit in any way of the table, in any case", () => {
    for (const unit of UNITS) {
      for (const spelling of UNIT_SPELLINGS[unit]) {
        const expected = new RateLimit(1, 2, unit).windowMs;
        expect(parseLimit(`1 per 2 ${spelling}`).windowMs).toBe(expected);
        expect(parseLimit(`1/2${spelling.toUpperCase()}`).windowMs).toBe(expected);
      }
    }
  });

  it("keeps the order and the repetitions of its limits", () => {
    expect(parseLimits("9/day;1/second;9/day").map(String)).toEqual([
      "9 per 1 day",
      "1 per 1 second",
      "9 per 1 day",
    ]);
  });

  it("quotes in its error only the surroundings of the place when it is long", () => {
    const error = syntaxErrorOf(() =>
      parseLimits(`${"10/hour; ".repeat(50)}7 per dya; ${"10/hour; ".repeat(50)}1/s`),
    );
    expect(error.message).toContain('at character 457: "dya" is not a unit of time. Did you mean "day"?');
    expect(error.message).toContain("…");
    expect(error.message.length).toBeLessThan(200);
    expect(error.text.length).toBeGreaterThan(900);
  });

  it("escapes what cannot be seen in its error", () => {
    expect(syntaxErrorOf(() => parseLimits("1/s\u0007")).message).toContain('"1/s\\u0007"');
  });

  it("is at most 2,000 characters long", () => {
    const longest = "1/s".padEnd(2000, " ");
    expect(parseLimits(longest)).toHaveLength(1);
    expect(syntaxErrorOf(() => parseLimits(`${longest} `))).toMatchObject({
      message: expect.stringContaining("longer than 2000 characters"),
      position: 2000,
    });
  });

  test.each([
    { value: undefined, says: "got undefined." },
    { value: null, says: "got null." },
    { value: 10, says: 'got the number 10. Did you mean "10 per minute"?' },
    { value: true, says: "got boolean." },
    { value: {}, says: "got object." },
    { value: ["1/s"], says: "got a list. Read its texts one by one." },
    { value: new RateLimit(1, 1, "day"), says: "got a RateLimit, which needs no reading." },
    { value: Symbol("1/s"), says: "got symbol." },
    { value: () => "1/s", says: "got function." },
  ])("is not a value of another type: $says", ({ value, says }) => {
    for (const read of [parseLimits, parseLimit]) {
      const error = syntaxErrorOf(() => callUntyped(read, value));
      expect(error).toMatchObject({ text: "", position: 0 });
      expect(error.message).toBe(`A limit is a text such as "10 per hour", ${says}`);
    }
  });
});

describe("parseLimit", () => {
  it("reads exactly one limit", () => {
    expect(parseLimit("10 per 2 hours")).toEqual(new RateLimit(10, 2, "hour"));
  });

  it("names parseLimits when there are several", () => {
    expect(syntaxErrorOf(() => parseLimit("1/second; 2/minute"))).toMatchObject({
      message: expect.stringMatching(/there are 2 limits .* Use parseLimits/),
      position: 8,
    });
  });
});

describe("for every text", () => {
  const limits = fc
    .constantFrom(...UNITS)
    .chain((unit) =>
      fc
        .tuple(fc.maxSafeNat(), fc.integer({ min: 1, max: Math.floor(MAX_WINDOW_MS / UNIT_MS[unit]) }))
        .map(([amount, multiples]) => new RateLimit(amount, multiples, unit)),
    );

  it("what a limit is written as is read as an equal limit", () => {
    fc.assert(
      fc.property(limits, (limit) => {
        expect(parseLimit(String(limit)).equals(limit)).toBe(true);
      }),
    );
  });

  it("writing what was read, and reading it again, changes nothing", () => {
    fc.assert(
      fc.property(almostLimitTexts, (text) => {
        const once = limitsOrNone(text).map(String);
        expect(limitsOrNone(once.join("; ")).map(String)).toEqual(once);
      }),
    );
  });

  it("the result is a list of limits or a LimitSyntaxError at a place in the text", () => {
    const texts = fc.oneof(fc.string({ unit: "binary" }), fc.string(), almostLimitTexts);
    fc.assert(
      fc.property(texts, (text) => {
        limitsOrNone(text);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    "9",
    " ",
    ";",
    "/",
    "per",
    "hour",
    "1/s;",
    "1 per 1",
    "0.",
    ".",
    "ms",
    "\u00a0",
    "1/hor,",
    "-",
    "e1",
  ])("a megabyte of %j is refused at once", (piece) => {
    const megabyte = piece.repeat(Math.ceil(1_000_000 / piece.length));
    const started = performance.now();
    for (const before of ["", "1 per ", "1/1", "1/1."]) {
      expect(syntaxErrorOf(() => parseLimits(before + megabyte)).message.length).toBeLessThan(250);
    }
    expect(performance.now() - started).toBeLessThan(250);
  });

  test.each(["9", " ", ";", "per", "hour", "1 per 1", "0.", "1/s;"])(
    "the longest text that is read, of %j, takes little time",
    (piece) => {
      const text = piece.repeat(2000).slice(0, 1990);
      const started = performance.now();
      for (let round = 0; round < 20; round++) {
        for (const before of ["", "1 per ", "1/1", "1/1."]) limitsOrNone(before + text);
      }
      expect(performance.now() - started).toBeLessThan(1000);
    },
  );
});

function limitsOrNone(text: string): readonly RateLimit[] {
  try {
    return parseLimits(text);
  } catch (error) {
    if (!(error instanceof LimitSyntaxError)) throw error;
    expect(error.text).toBe(text);
    expect(error.position).toBeGreaterThanOrEqual(0);
    expect(error.position).toBeLessThanOrEqual(text.length);
    return [];
  }
}
