import type { Clock, EpochMilliseconds, Milliseconds } from "../core/clock.js";
import { ConfigurationError } from "../core/errors.js";

/**
 * A clock that stands still until it is turned, so that tests of an hour take no time.
 *
 * @example
 * const clock = new ManualClock();
 * const limiter = new RateLimiter({ storage: new MemoryStorage({ clock }), clock });
 * limiter.hit("1 per hour", "ann");
 * clock.advance(3_600_000); // the hour is over
 */
export class ManualClock implements Clock {
  #now: EpochMilliseconds;

  /** Starts at an instant in epoch milliseconds; it may be any finite number. Throws `ConfigurationError` else. */
  constructor(startAt: EpochMilliseconds = 0) {
    this.#now = checkInstant("startAt", startAt);
  }

  now(): EpochMilliseconds {
    return this.#now;
  }

  /** Lets so many milliseconds pass. Throws `ConfigurationError` unless `ms` is finite and from 0 up. */
  advance(ms: Milliseconds): void {
    if (!Number.isFinite(ms) || ms < 0) {
      throw new ConfigurationError(
        `advance takes a number of milliseconds from 0, got ${String(ms)}. To step back, use set.`,
      );
    }
    this.#now = checkInstant("the advanced time", this.#now + ms);
  }

  /** Jumps to an instant, back too: as a machine whose time is corrected. Throws `ConfigurationError` for NaN. */
  set(at: EpochMilliseconds): void {
    this.#now = checkInstant("at", at);
  }
}

function checkInstant(name: string, instant: number): EpochMilliseconds {
  if (Number.isFinite(instant)) return instant;
  throw new ConfigurationError(`${name} must be an instant in epoch milliseconds, got ${String(instant)}.`);
}
