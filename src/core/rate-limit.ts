import type { Milliseconds } from "./clock.js";
import { describe } from "./describe.js";
import { ConfigurationError } from "./errors.js";

/** The units a window can be counted in; `"millisecond"` appears only where no larger unit fits. */
export type Unit = "millisecond" | "second" | "minute" | "hour" | "day" | "week" | "month" | "year";

/** Length of each unit. A month is 30 days, a year 365. */
export const UNIT_MS: Readonly<Record<Unit, Milliseconds>> = {
  millisecond: 1,
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
  month: 2_592_000_000,
  year: 31_536_000_000,
};

/** The longest window: 1,000 years. Instants beyond stay exact in a double. */
export const MAX_WINDOW_MS: Milliseconds = 1000 * UNIT_MS.year;

/**
 * So many requests per window: a value, never changed.
 *
 * @example
 * const limit = new RateLimit(10, 2, "hour");
 * limit.toString(); // "10 per 2 hour"
 * limit.windowMs;   // 7200000
 */
export class RateLimit {
  /** Requests (cost units) per window: a whole number from 0 (refuse everything) to 2^53 - 1. */
  readonly amount: number;
  /** How many units make the window: a whole number from 1. */
  readonly multiples: number;
  readonly unit: Unit;
  /** Length of the window. */
  readonly windowMs: Milliseconds;

  constructor(amount: number, multiples: number, unit: Unit) {
    if (!Object.hasOwn(UNIT_MS, unit)) {
      throw new ConfigurationError(
        `The unit of a limit must be one of ${Object.keys(UNIT_MS).join(", ")}, got ${describe(unit)}.`,
      );
    }
    const windowMs = multiples * UNIT_MS[unit];
    if (!Number.isSafeInteger(amount) || amount < 0) {
      throw new ConfigurationError(
        `The amount of a limit must be a whole number from 0 to 2^53-1, got ${amount}.`,
      );
    }
    if (!Number.isSafeInteger(multiples) || multiples < 1 || !(windowMs <= MAX_WINDOW_MS)) {
      throw new ConfigurationError(
        `The window of a limit must be a whole number of units, at least 1 and at most 1,000 years, got ${multiples} ${unit}.`,
      );
    }
    this.amount = amount;
    this.multiples = multiples;
    this.unit = unit;
    this.windowMs = windowMs;
  }

  /** The same amount in the same time: `60/minute` equals `60 per 60 seconds`. */
  equals(other: RateLimit): boolean {
    return this.amount === other.amount && this.windowMs === other.windowMs;
  }

  /** Order by window, then by amount: negative when `a` comes first. For `Array.prototype.sort`. */
  static compare(a: RateLimit, b: RateLimit): number {
    return a.windowMs - b.windowMs || a.amount - b.amount;
  }

  /** `"10 per 2 hour"`: the unit is always singular, the number always there. */
  toString(): string {
    return `${this.amount} per ${this.multiples} ${this.unit}`;
  }

  toJSON(): string {
    return this.toString();
  }
}
