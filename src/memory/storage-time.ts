import type { Clock, EpochMilliseconds, Milliseconds } from "../core/clock.js";
import type { StorageInstant } from "../core/strategy.js";

/**
 * Time that never steps back: whole milliseconds since the first reading.
 *
 * A clock that is set back goes on from where it was, so nobody is locked out for longer than a window. One
 * that is set forward is followed: it cannot be told from time that passed.
 */
export class StorageTime {
  readonly #clock: Clock;
  readonly #wall = new WallTime();
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

  /** What the system's clock showed at the last reading; `undefined` for a clock that has nothing to do with it. */
  get wallTime(): EpochMilliseconds | undefined {
    return this.#clock === monotonicClock ? this.#wall.at(this.#lastReading) : undefined;
  }
}

/** Node's global is looked up by a function, which takes as long as reading the clock. */
const { performance } = globalThis;

/** Counts from the start of the process and is never corrected. */
export const monotonicClock: Clock = { now: () => performance.now() };

/** A correction of the system's clock is noticed after so long. */
const MOST_BEHIND_MS = 10;

/** Tells the system's time for readings of {@link monotonicClock}: their distance changes only when it is corrected. */
class WallTime {
  #distance: Milliseconds = 0;
  #comparedAt = Number.NEGATIVE_INFINITY;

  /** Whole milliseconds; less than one from the truth. For the latest reading, not for older ones. */
  at(reading: number): EpochMilliseconds {
    if (reading - this.#comparedAt >= MOST_BEHIND_MS) {
      this.#distance = Date.now() - reading;
      this.#comparedAt = reading;
    }
    return Math.ceil(reading + this.#distance);
  }
}
