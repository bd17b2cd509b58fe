import type { Clock } from "../core/clock.js";
import type { StorageInstant } from "../core/strategy.js";

/**
 * Time that never steps back: whole milliseconds since the first reading.
 *
 * A clock that is set back goes on from where it was, so nobody is locked out for longer than a window. One
 * that is set forward is followed: it cannot be told from time that passed.
 */
export class StorageTime {
  readonly #clock: Clock;
  #lastReading: number;
  #elapsed = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastReading = clock.now();
  }

  now(): StorageInstant {
    const reading = this.#clock.now();
    if (reading > this.#lastReading) this.#elapsed += reading - this.#lastReading;
    this.#lastReading = reading;
    return Math.floor(this.#elapsed);
  }
}

/** Node's global is looked up by a function, which takes as long as reading the clock. */
const { performance } = globalThis;

/** Counts from the start of the process and is never corrected. */
export const monotonicClock: Clock = { now: () => performance.now() };
