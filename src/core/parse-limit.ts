import { describeRest, type Refuse, scanSpan, unitOf } from "./duration.js";
import { LimitSyntaxError } from "./errors.js";
import { nearestWord } from "./nearest-word.js";
import { RateLimit } from "./rate-limit.js";
import { isDigit, quote, TextScanner } from "./text-scanner.js";

const SEPARATORS = ",;|";
const MAX_TEXT_LENGTH = 2000;
const QUOTED_LENGTH = 60;

/**
 * Reads a text of one or more limits.
 *
 * ```text
 * limits = limit *( ( "," / ";" / "|" ) limit )
 * limit  = amount ( "/" / "per" ) [ n ] unit          ; blanks are free between the words
 * amount = digits                                     ; 0 to 2^53 - 1; 0 refuses everything
 * n      = digits [ "." digits ] / "." digits         ; more than 0, a whole number of milliseconds in all
 * unit   = second minute hour day week month year, with or without "s", or short:
 *          s sec secs  m min mins  h hr hrs  d  w  mo  y yr yrs  ms msec msecs millisecond(s)
 * ```
 *
 * Letters may be of any case. A window of a fraction, or of milliseconds, is given in the largest unit that holds
 * it as a whole number: `"3 per 1.5h"` is 3 per 90 minute. The longest window is 1,000 years, the longest text
 * 2,000 characters. Takes linear time, whatever the text.
 *
 * @throws LimitSyntaxError with the text, the place and the likely fix.
 * @example
 * parseLimits("5/2 seconds; 100 per 15m").map(String); // ["5 per 2 second", "100 per 15 minute"]
 */
export function parseLimits(text: string): RateLimit[] {
  if (typeof text !== "string") throw notText(text);
  const refuse: Refuse = (problem, position) => syntaxError(problem, text, position);
  if (text.length > MAX_TEXT_LENGTH) {
    throw refuse(`the text is longer than ${MAX_TEXT_LENGTH} characters.`, MAX_TEXT_LENGTH);
  }
  const scanner = new TextScanner(text);
  const limits = [scanLimit(scanner, refuse)];
  while (scanner.take(SEPARATORS)) limits.push(scanLimit(scanner, refuse));
  return limits;
}

/**
 * Reads a text of exactly one limit; the grammar is that of {@link parseLimits}.
 *
 * @throws LimitSyntaxError also when the text holds several limits.
 * @example
 * parseLimit("10 per 2 hours").windowMs; // 7200000
 */
export function parseLimit(text: string): RateLimit {
  const [limit, ...more] = parseLimits(text);
  if (limit !== undefined && more.length === 0) return limit;
  const problem = `there are ${more.length + 1} limits where one is expected. Use parseLimits to read several.`;
  throw syntaxError(problem, text, text.search(/[,;|]/));
}

function scanLimit(scanner: TextScanner, refuse: Refuse): RateLimit {
  scanner.skipSpace();
  const amount = scanAmount(scanner, refuse);
  scanner.skipSpace();
  scanPer(scanner, refuse, amount);
  scanner.skipSpace();
  const { multiples, unit } = scanSpan(scanner, refuse);
  scanner.skipSpace();
  if (scanner.next !== "" && !SEPARATORS.includes(scanner.next)) {
    throw refuse(describeRest(scanner, ` Several limits are separated by ";".`), scanner.position);
  }
  return new RateLimit(amount, multiples, unit);
}

function scanAmount(scanner: TextScanner, refuse: Refuse): number {
  const start = scanner.position;
  const digits = scanner.digits();
  if (digits === "") throw refuse(missingAmount(scanner), start);
  const follower = scanner.next;
  const isExponent = /^e[\d+-]/i.test(scanner.text.slice(scanner.position, scanner.position + 2));
  if (follower === "." || follower === "_" || isExponent) {
    throw refuse("the amount must be a whole number, written in digits only.", start);
  }
  const amount = Number(digits);
  if (Number.isSafeInteger(amount)) return amount;
  throw refuse(`the amount is above ${Number.MAX_SAFE_INTEGER} (2^53-1).`, start);
}

function missingAmount(scanner: TextScanner): string {
  const { next, text } = scanner;
  if (text.trim() === "") return `the text is empty. Write a limit such as "10 per hour".`;
  if (next === "" || SEPARATORS.includes(next))
    return "a limit is missing here. Add it, or remove the separator.";
  if (next === "-") return "the amount cannot be negative. The lowest is 0, which refuses everything.";
  if (next === "+") return "the amount must have no sign.";
  if (next === ".") return "the amount must be a whole number, written in digits only.";
  return `a limit starts with its amount, as in "10 per hour", found ${scanner.describeNext()}.`;
}

function scanPer(scanner: TextScanner, refuse: Refuse, amount: number): void {
  if (scanner.take("/")) return;
  const start = scanner.position;
  const word = scanner.letters();
  const isPer = word.toLowerCase().startsWith("per");
  scanner.position = isPer ? start + "per".length : start;
  if (!isPer) throw refuse(missingPer(scanner, word, amount), start);
}

function missingPer(scanner: TextScanner, word: string, amount: number): string {
  const { next, position, text } = scanner;
  if (word === "" && next === "," && isDigit(text.charAt(position + 1))) {
    return `"per" or "/" must follow the amount. A large amount is written without commas.`;
  }
  if (next === "" || SEPARATORS.includes(next))
    return `the window is missing. Did you mean "${amount} per minute"?`;
  if (unitOf(word) !== undefined) return `"per" is missing. Did you mean "${amount} per ${word}"?`;
  const found = `"per" or "/" must follow the amount, found ${scanner.describeNext()}.`;
  return nearestWord(word, ["per"]) === undefined ? found : `${found} Did you mean "per"?`;
}

function syntaxError(problem: string, text: string, position: number): LimitSyntaxError {
  const where = `${quote(text, position, QUOTED_LENGTH)} at character ${position + 1}`;
  return new LimitSyntaxError(`Cannot read the limit ${where}: ${problem}`, text, position);
}

function notText(value: unknown): LimitSyntaxError {
  return new LimitSyntaxError(`A limit is a text such as "10 per hour", got ${describeValue(value)}`, "", 0);
}

function describeValue(value: unknown): string {
  if (typeof value === "number") return `the number ${value}. Did you mean "${value} per minute"?`;
  if (value instanceof RateLimit) return "a RateLimit, which needs no reading.";
  if (Array.isArray(value)) return "a list. Read its texts one by one.";
  return value === null ? "null." : `${typeof value}.`;
}
