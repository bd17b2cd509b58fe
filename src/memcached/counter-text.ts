import type { Policy } from "../core/strategy.js";
import { checkCounted } from "./check-policy.js";

/** Counters always have sixteen digits, from here up to where a double stops being exact. */
const LEAST_TEXT = 1e15;
const MOST_TEXT = 9e15;

/**
 * So many times the amount fits into the count, for requests in flight that will be refused and given back: a
 * count that ran over would begin anew. A server that stalls for half a second gathers tens of thousands.
 */
const HEADROOM = 100_000;

/** Two digits are left for the mark: above 10^9 the headroom shrinks, down to 10,000 times the amount. */
const MOST_DIGITS = 14;

/** A counter, read. */
export interface Counter {
  /** Names this life of the item: one that was evicted and made anew has another. */
  readonly mark: number;
  readonly count: number;
}

/**
 * How a counter is written: `mark * scale + count`, always sixteen digits.
 *
 * The mark is drawn when an item is made. A charge is given back only to a counter with the mark that it was
 * counted under: else what one client gives back could be taken from what others spent since. The constant
 * length also means that an increment never moves the item to another slab.
 */
export class CounterText {
  readonly #scale: number;
  readonly #firstMark: number;
  readonly #marks: number;
  readonly #digits: number;
  /** The count that new items began with last, as text. */
  #firstCount = -1;
  #firstDigits = "";

  /** Throws `ConfigurationError` for an amount that does not fit. */
  constructor(policy: Policy) {
    checkCounted(policy);
    const { limit } = policy;
    const wanted = Math.ceil(Math.log10(limit.amount * HEADROOM + 1));
    this.#digits = Math.min(Math.max(9, wanted), MOST_DIGITS);
    this.#scale = 10 ** this.#digits;
    this.#firstMark = LEAST_TEXT / this.#scale;
    this.#marks = (MOST_TEXT - LEAST_TEXT) / this.#scale;
  }

  /** A new item's text, with a mark of its own. In two parts: a long number costs more to write. */
  first(count: number): string {
    if (count !== this.#firstCount) {
      this.#firstCount = count;
      this.#firstDigits = String(count).padStart(this.#digits, "0");
    }
    return `${this.#firstMark + Math.floor(Math.random() * this.#marks)}${this.#firstDigits}`;
  }

  read(text: string): Counter {
    const value = Number(text);
    if (!Number.isSafeInteger(value)) throw notACounter(text);
    const mark = this.markOf(value);
    return { mark, count: this.countOf(value, mark) };
  }

  write({ mark, count }: Counter): string {
    return String(mark * this.#scale + count);
  }

  /** The mark in what a counter holds. */
  markOf(value: number): number {
    return Math.floor(value / this.#scale);
  }

  countOf(value: number, mark: number): number {
    return value - mark * this.#scale;
  }
}

export function notACounter(text: string): Error {
  return new Error(`A counter holds ${JSON.stringify(text.slice(0, 40))}.`);
}
