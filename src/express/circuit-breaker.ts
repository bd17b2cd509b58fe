import type { Milliseconds } from "../core/clock.js";
import type { StorageError } from "../core/errors.js";

/** What is told of a storage, once each. */
export interface OutageEvents {
  lost(error: StorageError): void;
  recovered(): void;
}

/** Options of {@link CircuitBreaker}. */
export interface BreakerOptions {
  readonly events: OutageEvents;
  /** Asks the storage whether it is back. Never fails. */
  readonly probe: () => Promise<boolean>;
}

/** A call that failed. */
export interface FailedCall {
  readonly error: StorageError;
  /** An instant of `performance.now()`. */
  readonly askedAt: number;
  /** It took as long as it was allowed to. */
  readonly isTimeout: boolean;
}

/** Failures in a row after which the storage is not asked any more; one that hangs is not asked again at once. */
const FAILURES_TO_OPEN = 3;
const FIRST_PROBE_MS: Milliseconds = 1000;
const LAST_PROBE_MS: Milliseconds = 32_000;

/** A storage that was lost so often within this time is believed to be back only by a probe: no flood of events. */
const FLAPPING_MS: Milliseconds = 10_000;
const MOST_LOSSES = 3;

/**
 * Knows whether a storage is worth asking.
 *
 * It opens when a call hangs or several fail in a row. From the first failure on a probe in the background asks
 * 1, 2, 4, … 32 seconds apart whether the storage is back.
 */
export class CircuitBreaker {
  readonly #events: OutageEvents;
  readonly #probe: () => Promise<boolean>;
  #failures = 0;
  #isOpen = false;
  #isTold = false;
  /** How often it was lost without a longer time of health between. */
  #losses = 0;
  #recoveredAt = Number.NEGATIVE_INFINITY;
  #lastError: StorageError | undefined;
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ events, probe }: BreakerOptions) {
    this.#events = events;
    this.#probe = probe;
  }

  /** Why the storage is not to be asked; `undefined` when it is. */
  get reason(): StorageError | undefined {
    return this.#isOpen ? this.#lastError : undefined;
  }

  /** The storage has failed and was not seen well since. */
  get isLost(): boolean {
    return this.#failures > 0;
  }

  /** Notes a failure. What was asked before the storage came back, and waited too long for that, is no new loss. */
  failed({ error, askedAt, isTimeout }: FailedCall): void {
    if (this.#isClosed || askedAt < this.#recoveredAt) return;
    this.#lastError = error;
    this.#failures++;
    if (isTimeout || this.#failures >= FAILURES_TO_OPEN) this.#isOpen = true;
    if (this.#isTold) return;
    this.#isTold = true;
    this.#losses = performance.now() - this.#recoveredAt > FLAPPING_MS ? 1 : this.#losses + 1;
    this.#events.lost(error);
    this.#probeLater(FIRST_PROBE_MS);
  }

  /** Notes that the storage has charged something, as only one does that is well. */
  succeeded(): void {
    if (this.#failures === 0) return;
    this.#failures = 1;
    if (this.#losses <= MOST_LOSSES) this.#recovered();
  }

  /** Probes no more and tells of no loss. Nobody would find out that the storage is back: every call asks it again. */
  close(): void {
    this.#isClosed = true;
    this.#isOpen = false;
    clearTimeout(this.#timer);
  }

  #recovered(): void {
    this.#failures = 0;
    this.#recoveredAt = performance.now();
    this.#isOpen = false;
    this.#isTold = false;
    this.#lastError = undefined;
    clearTimeout(this.#timer);
    this.#events.recovered();
  }

  #probeLater(delayMs: Milliseconds): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#probeNow(delayMs), delayMs);
    this.#timer.unref?.();
  }

  async #probeNow(delayMs: Milliseconds): Promise<void> {
    const isBack = await this.#probe();
    if (this.#failures === 0) return;
    if (isBack) this.#recovered();
    else this.#probeLater(Math.min(delayMs * 2, LAST_PROBE_MS));
  }
}
