import { describe, expectTypeOf, it, test } from "vitest";
import type { CheckLimits, LimitsInput, LimitText } from "../../src/core/limit-text.js";
import type { RateLimit } from "../../src/core/rate-limit.js";
import type { invalidLimitTexts, validLimitTexts } from "../helpers/limit-texts.js";

type Valid = (typeof validLimitTexts)[number]["text"];
type Invalid = (typeof invalidLimitTexts)[number]["text"];

/** Of these texts, those that the types take for limits. */
type Accepted<Text extends string> = Text extends LimitText<Text> ? Text : never;

interface Request {
  readonly path: string;
}
type Provider = (request: Request) => string | RateLimit;

declare function limit<const Limits extends LimitsInput<Provider>>(
  limits: Limits & CheckLimits<Limits>,
): Limits;
declare class Limiter<const Limits extends LimitsInput<Provider> = LimitsInput<Provider>> {
  constructor(options: { defaultLimits?: Limits & CheckLimits<Limits>; keyPrefix?: string });
}

declare const text: string;
declare const texts: string[];
declare const rateLimit: RateLimit;
declare const either: string | RateLimit;
declare const anyInput: LimitsInput<Provider>;
declare const amount: number;
declare const unit: "second" | "minute";

describe("the type of a limit text", () => {
  it("is the text itself for every text of the table that can be read", () => {
    expectTypeOf<Accepted<Valid>>().toEqualTypeOf<Valid>();
  });

  it("is another text for every text of the table that cannot be read", () => {
    expectTypeOf<Accepted<Invalid>>().toEqualTypeOf<never>();
  });

  it("says what is wrong", () => {
    expectTypeOf<
      LimitText<"10 per hor">
    >().toEqualTypeOf<'"hor" is not a unit of time. Did you mean "hour"?'>();
    expectTypeOf<
      LimitText<"10/mniutes">
    >().toEqualTypeOf<'"mniutes" is not a unit of time. Did you mean "minutes"?'>();
    expectTypeOf<LimitText<"10 hour">>().toEqualTypeOf<'"per" or "/" is missing in "10 hour".'>();
    expectTypeOf<
      LimitText<"1.5/hour">
    >().toEqualTypeOf<'"1.5" is not an amount, which is a whole number in digits only.'>();
    expectTypeOf<LimitText<"1/hour;">>().toEqualTypeOf<"A limit is missing beside a separator.">();
    expectTypeOf<LimitText<"1 per 0 hours">>().toEqualTypeOf<"A window cannot be 0 hour long.">();
    expectTypeOf<LimitText<"">>().toEqualTypeOf<'The text is empty. Write a limit such as "10 per hour".'>();
  });

  it("is string for a string that is not known", () => {
    expectTypeOf<LimitText<string>>().toEqualTypeOf<string>();
  });

  it("takes the open parts of a template on trust, and checks the rest", () => {
    expectTypeOf<LimitText<`${number} per hour`>>().toEqualTypeOf<`${number} per hour`>();
    expectTypeOf<LimitText<`${number}/${number} hours`>>().toEqualTypeOf<`${number}/${number} hours`>();
    expectTypeOf<LimitText<`10/${string}`>>().toEqualTypeOf<`10/${string}`>();
    expectTypeOf<LimitText<`${string} hour`>>().toEqualTypeOf<`${string} hour`>();
    expectTypeOf<
      LimitText<`${number}/minute; ${bigint} per day`>
    >().toEqualTypeOf<`${number}/minute; ${bigint} per day`>();
    expectTypeOf<
      LimitText<`${number} per hor`>
    >().toEqualTypeOf<'"hor" is not a unit of time. Did you mean "hour"?'>();
    expectTypeOf<
      LimitText<`${number}/minute;10/hor`>
    >().toEqualTypeOf<'"hor" is not a unit of time. Did you mean "hour"?'>();
  });

  it("is checked for each member of a union", () => {
    expectTypeOf<LimitText<"1/hour" | "1/day">>().toEqualTypeOf<"1/hour" | "1/day">();
    expectTypeOf<Accepted<"1/hour" | "1/dya">>().toEqualTypeOf<"1/hour">();
  });

  it("does not strain the compiler", () => {
    type Ten =
      "10 per second; 100 per minute; 1000 per hour; 2000 per 2 hours; 3000 per day; 4000 per week; 5000 per 15 days; 6000 per month; 7000 per 1.5 years; 8000 per 10 years";
    expectTypeOf<LimitText<Ten>>().toEqualTypeOf<Ten>();
    type FiftyA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    type FiftyDigits = "11111111111111111111111111111111111111111111111111";
    type FiftyBlanks = "                                                  ";
    type FiftySeparators = ";,|;,|;,|;,|;,|;,|;,|;,|;,|;,|;,|;,|;,|;,|;,|;,|;,";
    type FourTimes<Text extends string> = `${Text}${Text}${Text}${Text}`;
    expectTypeOf<Accepted<FourTimes<FiftyA>>>().toEqualTypeOf<never>();
    expectTypeOf<Accepted<FourTimes<FiftyDigits>>>().toEqualTypeOf<never>();
    expectTypeOf<Accepted<`1/${FourTimes<FiftyDigits>}`>>().toEqualTypeOf<never>();
    expectTypeOf<Accepted<`1/${FourTimes<FiftyDigits>}.${FourTimes<FiftyDigits>}h`>>().toEqualTypeOf<never>();
    expectTypeOf<Accepted<FourTimes<FiftySeparators>>>().toEqualTypeOf<never>();
    expectTypeOf<Accepted<FourTimes<`1/${FiftyA}`>>>().toEqualTypeOf<never>();
    type Spaced = `1${FourTimes<FiftyBlanks>}/${FourTimes<FiftyBlanks>}hour${FourTimes<FiftyBlanks>}`;
    expectTypeOf<Accepted<Spaced>>().toEqualTypeOf<Spaced>();
  });
});

describe("a parameter of limits", () => {
  it("takes a text, a list of texts, and templates", () => {
    expectTypeOf(limit("10 per hour")).toEqualTypeOf<"10 per hour">();
    expectTypeOf(limit(["1/second", "2/hour"])).toEqualTypeOf<readonly ["1/second", "2/hour"]>();
    limit(`${amount} per ${unit}`);
    limit(`${amount}/hour`);
    limit([]);
  });

  it("takes what is not a literal", () => {
    limit(text);
    limit(texts);
    limit(either);
    limit(anyInput);
    limit([text, rateLimit, "1/second"]);
  });

  it("takes values and functions, whose parameters need no annotation", () => {
    limit(rateLimit);
    limit((request) => request.path);
    limit(["1/second", (request) => request.path]);
  });

  it("refuses a literal that cannot be read", () => {
    // @ts-expect-error: "hor" is not a unit of time. Did you mean "hour"?
    limit("10 per hor");
    // @ts-expect-error: one member of the union is no limit
    limit<"1/hour" | "1/dya">(text === "" ? "1/hour" : "1/dya");
    // @ts-expect-error: the fixed part of the template is no limit
    limit(`${amount} per hor` as const);
  });

  it("refuses a list at the element that cannot be read", () => {
    limit([
      "1/second",
      // @ts-expect-error: "per" or "/" is missing
      "2 hour",
      rateLimit,
    ]);
  });

  it("refuses what is not a limit at all", () => {
    // @ts-expect-error: a number has no window
    limit(5);
    // @ts-expect-error: a number has no window
    limit(["1/second", 5]);
    // @ts-expect-error: nothing is not a limit
    limit(undefined);
  });
});

test("an option of limits is checked like a parameter", () => {
  new Limiter({});
  new Limiter({ defaultLimits: ["2 per minute", "1 per second"], keyPrefix: "a" });
  new Limiter({ defaultLimits: (request) => request.path });
  // @ts-expect-error: the minute is misspelled
  new Limiter({ defaultLimits: ["2 per minut"], keyPrefix: "a" });
});
