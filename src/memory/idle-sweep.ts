import type { Milliseconds } from "../core/clock.js";

/** Between two slices. */
const PAUSE_MS: Milliseconds = 250;

/** Does a slice of work, and says whether there is more to come. */
export interface Sweepable {
  sweepSlice(): boolean;
}

/**
 * Gives memory back while nobody comes: one timer for a whole storage, and only while there is something to do.
 *
 * It keeps neither the process alive nor a storage that nobody else holds.
 */
export class IdleSweep {
  #timer: ReturnType<typeof setInterval> | undefined;

  start(target: Sweepable): void {
    if (this.#timer !== undefined) return;
    const reference = new WeakRef(target);
    const timer = setInterval(() => {
      const sweepable = reference.deref();
      if (sweepable === undefined) clearInterval(timer);
      else if (!sweepable.sweepSlice()) this.stop();
    }, PAUSE_MS);
    timer.unref();
    this.#timer = timer;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
