import type { Milliseconds } from "./clock.js";
import { ConfigurationError } from "./errors.js";
import { nearestWord } from "./nearest-word.js";
import { MAX_WINDOW_MS, UNIT_MS, type Unit } from "./rate-limit.js";
import { isDigit, quote, TextScanner } from "./text-scanner.js";

/** How each unit may be written, in any case. The types of limit texts are made from the same table. */
export const UNIT_SPELLINGS = {
  millisecond: ["ms", "msec", "msecs", "millisecond", "milliseconds"],
  second: ["s", "sec", "secs", "second", "seconds"],
  minute: ["m", "min", "mins", "minute", "minutes"],
  hour: ["h", "hr", "hrs", "hour", "hours"],
  day: ["d", "day", "days"],
  week: ["w", "week", "weeks"],
  month: ["mo", "month", "months"],
  year: ["y", "yr", "yrs", "year", "years"],
} as const;

const LARGEST_FIRST: readonly Unit[] = [
  "year",
  "month",
  "week",
  "day",
  "hour",
  "minute",
  "second",
  "millisecond",
];

const UNIT_BY_SPELLING: ReadonlyMap<string, Unit> = new Map(
  LARGEST_FIRST.flatMap((unit) => UNIT_SPELLINGS[unit].map((spelling) => [spelling, unit] as const)),
);

const UNITS_TO_SUGGEST: readonly string[] = [...LARGEST_FIRST, ...LARGEST_FIRST.map((unit) => `${unit}s`)];

const MAX_DURATION_LENGTH = 100;

/** Makes the error for a problem found at an offset of the text. */
export type Refuse = (problem: string, position: number) => Error;

/** A length of time as a whole number of one unit. */
export interface Span {
  readonly multiples: number;
  readonly unit: Unit;
}

/** A number as it was written: `"1.50"` is `{ text: "1.50", whole: "1", fraction: "50" }`. */
interface WrittenNumber {
  readonly text: string;
  readonly whole: string;
  readonly fraction: string;
}

/** The unit that an English word or short form stands for, in any case. */
export function unitOf(word: string): Unit | undefined {
  return UNIT_BY_SPELLING.get(word.toLowerCase());
}

/**
 * The value of a duration option in milliseconds: `"500ms"`, `"1.5h"`, `"2 days"`, or a number of milliseconds.
 *
 * Understands what the `ms` package understands, except that a text always has a unit, a duration is never negative
 * or zero, a year has 365 days and `mo` is a month of 30. Decimals are exact: `"1.1h"` is 3,960,000 ms.
 *
 * @param option Name of the option, for the message.
 * @throws ConfigurationError when the value is no whole, positive number of milliseconds, up to 1,000 years.
 * @example
 * parseDuration("1.5s", "storageTimeout"); // 1500
 */
export function parseDuration(value: string | number, option: string): Milliseconds {
  const refuse = (problem: string) =>
    new ConfigurationError(
      `The option ${quote(option, 0, 60)} must be a duration such as "500ms" or "2 days", or a number of milliseconds: ${problem}`,
    );
  if (typeof value === "string") return durationOfText(value, refuse);
  if (typeof value !== "number") throw refuse(`got ${value === null ? "null" : typeof value}.`);
  if (!Number.isSafeInteger(value) || value < 1 || value > MAX_WINDOW_MS) {
    throw refuse(`got ${value}, which is not a whole number from 1 to ${MAX_WINDOW_MS}.`);
  }
  return value;
}

function durationOfText(text: string, refuse: (problem: string) => Error): Milliseconds {
  const refuseText: Refuse = (problem, position) => refuse(`got ${quote(text, position, 60)}: ${problem}`);
  if (text.length > MAX_DURATION_LENGTH) {
    throw refuseText(`it is longer than ${MAX_DURATION_LENGTH} characters.`, 0);
  }
  const scanner = new TextScanner(text);
  scanner.skipSpace();
  if (!isDigit(scanner.next) && !"+-.".includes(scanner.next || " ")) {
    throw refuseText(`a duration starts with a number, found ${scanner.describeNext()}.`, scanner.position);
  }
  const span = scanSpan(scanner, refuseText);
  scanner.skipSpace();
  if (scanner.next !== "") throw refuseText(describeRest(scanner), scanner.position);
  return span.multiples * UNIT_MS[span.unit];
}

/**
 * Reads `[n] unit` and stops behind it. Without a number it is one unit.
 *
 * A fraction, or a number of milliseconds, is given in the largest unit that holds it as a whole number:
 * `1.5h` is 90 minutes, `1000ms` one second.
 */
export function scanSpan(scanner: TextScanner, refuse: Refuse): Span {
  const start = scanner.position;
  const number = scanNumber(scanner, refuse);
  scanner.skipSpace();
  const unit = scanUnit(scanner, refuse, number);
  if (number === undefined) return { multiples: 1, unit };

  const written = quote(scanner.text.slice(start, scanner.position));
  const spanMs = exactMs(number, unit);
  if (spanMs === 0) throw refuse(`a length of time cannot be 0. Did you mean "1 ${unit}"?`, start);
  if (spanMs === undefined) throw refuse(`${written} is not a whole number of milliseconds.`, start);
  if (spanMs > MAX_WINDOW_MS) throw refuse(`${written} is longer than 1,000 years.`, start);

  const multiples = spanMs / UNIT_MS[unit];
  return Number.isInteger(multiples) && unit !== "millisecond" ? { multiples, unit } : inLargestUnit(spanMs);
}

/** What is wrong when a length of time is followed by something that does not belong there. */
export function describeRest(scanner: TextScanner, hint = ""): string {
  const isGlued = isDigit(scanner.next) && !/\s/.test(scanner.text.charAt(scanner.position - 1));
  if (isGlued) return `a length of time is one number and one unit, so write "90m" instead of "1h30m".`;
  return `unexpected ${scanner.describeNext()} after the unit.${hint}`;
}

function scanNumber(scanner: TextScanner, refuse: Refuse): WrittenNumber | undefined {
  const start = scanner.position;
  if (scanner.take("+-")) throw refuse("a length of time has no sign.", start);
  const whole = scanner.digits();
  const hasPoint = scanner.take(".");
  const fraction = hasPoint ? scanner.digits() : "";
  const text = scanner.text.slice(start, scanner.position);
  if (hasPoint && fraction === "") throw refuse(`digits must follow the point in ${quote(text)}.`, start);
  return text === "" ? undefined : { text, whole, fraction };
}

function scanUnit(scanner: TextScanner, refuse: Refuse, number: WrittenNumber | undefined): Unit {
  const start = scanner.position;
  const found = scanner.describeNext();
  const word = scanner.letters();
  const unit = unitOf(word);
  if (unit !== undefined) return unit;
  if (word !== "") throw refuse(`${found} is not a unit of time. ${unitHint(word)}`, start);
  if (number === undefined)
    throw refuse(`a unit of time such as "hour" must come here, found ${found}.`, start);
  const [seconds, milliseconds] = [quote(`${number.text}s`), quote(`${number.text}ms`)];
  throw refuse(`the number has no unit, so write ${seconds} or ${milliseconds}.`, start);
}

function unitHint(word: string): string {
  const near = nearestWord(word, UNITS_TO_SUGGEST);
  if (near !== undefined) return `Did you mean "${near}"?`;
  return "The units are second, minute, hour, day, week, month and year.";
}

/** Exact, since `1.1 * 3_600_000` is not: `undefined` when the result is no whole number of milliseconds. */
function exactMs({ whole, fraction }: WrittenNumber, unit: Unit): Milliseconds | undefined {
  if (fraction === "") return Number(whole) * UNIT_MS[unit];
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * BigInt(UNIT_MS[unit]);
  return scaled % scale === 0n ? Number(scaled / scale) : undefined;
}

function inLargestUnit(spanMs: Milliseconds): Span {
  const unit = LARGEST_FIRST.find((candidate) => spanMs % UNIT_MS[candidate] === 0) ?? "millisecond";
  return { multiples: spanMs / UNIT_MS[unit], unit };
}
