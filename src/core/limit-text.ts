import type { UNIT_SPELLINGS } from "./duration.js";
import type { RateLimit, Unit } from "./rate-limit.js";

/**
 * What limits can be given as: text, a value, or a list. `Provider` is the type of the functions that are accepted
 * beside them.
 */
export type LimitsInput<Provider = never> =
  | string
  | RateLimit
  | readonly (string | RateLimit | Provider)[]
  | Provider;

/**
 * The text itself when {@link parseLimits} can read it, otherwise a text that says what is wrong with it.
 *
 * A plain `string`, and the open parts of a template, are taken on trust: they are checked when the limit is defined.
 *
 * @example
 * type Good = LimitText<"10 per hour">; // "10 per hour"
 * type Bad = LimitText<"10 per hor">;   // "\"hor\" is not a unit of time. Did you mean \"hour\"?"
 */
export type LimitText<Text extends string> = Text extends unknown
  ? [TextProblem<Text>] extends [never]
    ? Text
    : TextProblem<Text>
  : never;

/** Stands in a compile error and says what is wrong with the limit text. No value has this type. */
export interface InvalidLimit<Problem extends string> {
  readonly invalidLimit: Problem;
}

/**
 * For a parameter that takes limits: makes a literal that cannot be read a compile error, element by element in a
 * list. Other arguments pass. Always used as an intersection with the type parameter, so that inference works.
 *
 * @example
 * function limit<const T extends LimitsInput>(limits: T & CheckLimits<T>): void;
 * limit("10 per hour");
 * limit("10 per hor"); // "10 per hor" is not assignable to InvalidLimit<"\"hor\" is not a unit of time. …">
 */
export type CheckLimits<Limits> = [TextProblem<Extract<Limits, string>>] extends [never]
  ? Limits extends readonly unknown[]
    ? { readonly [Index in keyof Limits]: CheckLimits<Limits[Index]> }
    : unknown
  : InvalidLimit<TextProblem<Extract<Limits, string>>>;

type Space = " " | "\t" | "\n" | "\v" | "\f" | "\r";
type Digit = "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9";

type TrimStart<Text extends string> = Text extends `${Space}${infer Rest}` ? TrimStart<Rest> : Text;
type TrimEnd<Text extends string> = Text extends `${infer Rest}${Space}` ? TrimEnd<Rest> : Text;
type TrimZerosStart<Text extends string> = Text extends `0${infer Rest}` ? TrimZerosStart<Rest> : Text;
type TrimZerosEnd<Text extends string> = Text extends `${infer Rest}0` ? TrimZerosEnd<Rest> : Text;

/** False for `string` and for templates with open parts, which accept more than one text. */
type IsLiteral<Text extends string> = Record<never, never> extends Record<Text, unknown> ? false : true;

/** What is wrong with a text, `never` when nothing is. */
type TextProblem<Text extends string> = Text extends unknown
  ? string extends Text
    ? never
    : TrimStart<Text> extends ""
      ? 'The text is empty. Write a limit such as "10 per hour".'
      : PartsProblem<Lowercase<Text>>
  : never;

type PartsProblem<Text extends string> =
  FirstPart<Text> extends infer Part extends string
    ? [PartProblem<TrimStart<TrimEnd<Part>>>] extends [never]
      ? Text extends `${Part}${"," | ";" | "|"}${infer Rest}`
        ? PartsProblem<Rest>
        : never
      : PartProblem<TrimStart<TrimEnd<Part>>>
    : never;

type FirstPart<Text extends string> = Text extends `${infer Part};${string}`
  ? FirstPart<Part>
  : Text extends `${infer Part},${string}`
    ? FirstPart<Part>
    : Text extends `${infer Part}|${string}`
      ? Part
      : Text;

type PartProblem<Part extends string> = Part extends ""
  ? "A limit is missing beside a separator."
  : Part extends `${infer Amount}/${infer Window}`
    ? AmountAndWindowProblem<TrimEnd<Amount>, TrimStart<Window>>
    : Part extends `${infer Amount}per${infer Window}`
      ? AmountAndWindowProblem<TrimEnd<Amount>, TrimStart<Window>>
      : IsLiteral<Part> extends false
        ? never
        : `"per" or "/" is missing in "${Part}".`;

type AmountAndWindowProblem<Amount extends string, Window extends string> = [AmountProblem<Amount>] extends [
  never,
]
  ? WindowProblem<Window>
  : AmountProblem<Amount>;

type AmountProblem<Amount extends string> =
  IsLiteral<Amount> extends false
    ? never
    : Amount extends ""
      ? 'The amount is missing before "per" or "/".'
      : AreDigits<Amount> extends false
        ? `"${Amount}" is not an amount, which is a whole number in digits only.`
        : IsAtMost<TrimZerosStart<Amount>, "9007199254740991"> extends false
          ? `The amount ${Amount} is above 9007199254740991 (2^53-1).`
          : never;

type WindowProblem<Window extends string> =
  IsLiteral<Window> extends false
    ? never
    : Window extends `${NumberAtStart<Window>}${infer Rest}`
      ? UnitAndNumberProblem<TrimStart<Rest>, NumberAtStart<Window>>
      : never;

type UnitAndNumberProblem<Word extends string, Written extends string> = [UnitOf<Word>] extends [never]
  ? UnitProblem<Word>
  : Written extends ""
    ? never
    : NumberProblem<Written, UnitOf<Word>>;

type UnitOf<Word extends string> = {
  [U in Unit]: Word extends (typeof UNIT_SPELLINGS)[U][number] ? U : never;
}[Unit];

type UnitProblem<Word extends string> = Word extends ""
  ? 'The unit is missing, as in "10 per hour".'
  : `"${Word}" is not a unit of time. ${UnitHint<Word>}`;

type UnitHint<Word extends string> = [NearWord<Word, Unit>] extends [never]
  ? [NearWord<Word, `${Unit}s`>] extends [never]
    ? "The units are second, minute, hour, day, week, month and year."
    : `Did you mean "${NearWord<Word, `${Unit}s`>}"?`
  : `Did you mean "${NearWord<Word, Unit>}"?`;

/** The candidates that are one slip away: a letter left out, added, wrong, or swapped with its neighbour. */
type NearWord<Word extends string, Candidate extends string> = Candidate extends unknown
  ? IsOneSlip<Word, Candidate> extends true
    ? Candidate
    : never
  : never;

type IsOneSlip<A extends string, B extends string> = A extends `${infer First}${infer RestA}`
  ? B extends `${First}${infer RestB}`
    ? IsOneSlip<RestA, RestB>
    : Tail<A> extends B | Tail<B>
      ? true
      : A extends Tail<B>
        ? true
        : IsSwap<A, B>
  : A extends Tail<B>
    ? true
    : false;

type IsSwap<A extends string, B extends string> = A extends `${infer First}${infer Second}${infer Rest}`
  ? B extends `${Second}${First}${Rest}`
    ? true
    : false
  : false;

type Tail<Text extends string> = Text extends `${infer _}${infer Rest}` ? Rest : never;

type NumberAtStart<Text extends string, Read extends string = ""> = Text extends `${infer Character extends
  | Digit
  | "."}${infer Rest}`
  ? NumberAtStart<Rest, `${Read}${Character}`>
  : Read;

type NumberProblem<
  Written extends string,
  U extends Unit,
> = Written extends `${infer Whole}.${infer Fraction}`
  ? [AreDigits<`0${Whole}`>, AreDigits<Fraction>] extends [true, true]
    ? LengthProblem<Written, TrimZerosStart<Whole>, TrimZerosEnd<Fraction>, U>
    : `"${Written}" is not a number.`
  : LengthProblem<Written, TrimZerosStart<Written>, "", U>;

type LengthProblem<Written extends string, Whole extends string, Fraction extends string, U extends Unit> = [
  Whole,
  Fraction,
] extends ["", ""]
  ? `A window cannot be ${Written} ${U} long.`
  : [IsAtMost<Whole, MaxMultiples[U]>, IsBeyondMax<Whole, Fraction, U>] extends [true, false]
    ? Beyond<Fraction, WholeMs[U]["free"]> extends "" | WholeMs[U]["tail"]
      ? never
      : `${Written} ${U} is not a whole number of milliseconds.`
    : `${Written} ${U} is longer than 1,000 years.`;

/** The longest window in each unit, rounded down. */
type MaxMultiples = {
  millisecond: "31536000000000";
  second: "31536000000";
  minute: "525600000";
  hour: "8760000";
  day: "365000";
  week: "52142";
  month: "12166";
  year: "1000";
};

/** The maximum of weeks and months is itself a fraction; beyond its whole part these are left to run time. */
type IsBeyondMax<Whole extends string, Fraction extends string, U extends Unit> = [Whole, Fraction] extends [
  MaxMultiples[U],
  `${Digit}${string}`,
]
  ? U extends "week" | "month"
    ? false
    : true
  : false;

/**
 * Which fractions of a unit are whole milliseconds: after as many digits as `free` is long, only `tail` may follow.
 * An hour is 36 * 10^5 ms, so five digits are free; 36 holds 2 twice, so two more may stand if they make up for the
 * missing factor 5.
 */
type WholeMs = {
  millisecond: { free: ""; tail: never };
  second: { free: "..."; tail: never };
  minute: { free: "...."; tail: Halves };
  hour: { free: "....."; tail: Halves | Quarters };
  day: { free: "....."; tail: Halves | Quarters | Eighths | Sixteenths | ThirtySecondths };
  week: { free: "....."; tail: Halves | Quarters | Eighths | Sixteenths | ThirtySecondths };
  month: { free: "......"; tail: Halves | Quarters | Eighths | Sixteenths | ThirtySecondths };
  year: { free: "......"; tail: Halves | Quarters | Eighths | Sixteenths };
};

type Halves = "5";
type Quarters = "25" | "75";
type Eighths = "125" | "375" | "625" | "875";
type Sixteenths = "0625" | "1875" | "3125" | "4375" | "5625" | "6875" | "8125" | "9375";
type ThirtySecondths =
  | ("03125" | "09375" | "15625" | "21875" | "28125" | "34375" | "40625" | "46875")
  | ("53125" | "59375" | "65625" | "71875" | "78125" | "84375" | "90625" | "96875");

/** What remains of `Text` without as many characters as `Dropped` has. */
type Beyond<Text extends string, Dropped extends string> = Dropped extends `${infer _}${infer Fewer}`
  ? Text extends `${infer _}${infer Rest}`
    ? Beyond<Rest, Fewer>
    : ""
  : Text;

type AreDigits<Text extends string> = Text extends `${Digit}${infer Rest}`
  ? Rest extends ""
    ? true
    : AreDigits<Rest>
  : false;

/** Compares two numbers without leading zeros, digit by digit; `Decided` is the verdict of the first difference. */
type IsAtMost<
  A extends string,
  B extends string,
  Decided extends boolean | undefined = undefined,
> = A extends `${infer HeadA}${infer RestA}`
  ? B extends `${infer HeadB}${infer RestB}`
    ? IsAtMost<RestA, RestB, Decided extends boolean ? Decided : IsDigitBelow<HeadA, HeadB>>
    : false
  : B extends ""
    ? Decided extends false
      ? false
      : true
    : true;

type IsDigitBelow<A extends string, B extends string> = A extends B
  ? undefined
  : "0123456789" extends `${string}${A}${string}${B}${string}`
    ? true
    : false;
