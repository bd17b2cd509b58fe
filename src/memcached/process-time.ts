import type { Clock } from "../core/clock.js";
import type { StorageInstant } from "../core/strategy.js";

/** Instants are counted from 2026 on: near zero, the finest ticks of a token bucket stay exact until 2034. */
export const STORAGE_EPOCH_AT: number = Date.UTC(2026, 0, 1);

/** How much slower time runs while a clock that was set back catches up. */
export const CATCH_UP = 0.1;

/**
 * The wall time of this process, in whole milliseconds, made so that it never steps back.
 *
 * It is the wall time because processes must agree on it: Memcached has no clock that a command could ask.
 * When the clock is set back, time goes on from where it was, a tenth slower until both agree again.
 */
export class ProcessTime {
  readonly #clock: Clock;
  readonly #catchUp: number;
  #lastReading: number;
  #ahead = 0;

  /** A clock that a test turns is followed as it is: with `catchUp` 0. */
  constructor(clock: Clock, catchUp: number = CATCH_UP) {
    this.#clock = clock;
    this.#catchUp = catchUp;
    this.#lastReading = clock.now();
  }

  now(): StorageInstant {
    const reading = this.#clock.now();
    const passed = reading - this.#lastReading;
    this.#lastReading = reading;
    if (passed < 0) this.#ahead -= passed;
    else if (this.#ahead > 0) this.#ahead -= Math.min(this.#ahead, passed * this.#catchUp);
    return Math.floor(reading + this.#ahead) - STORAGE_EPOCH_AT;
  }
}
