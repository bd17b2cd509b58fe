import type { Milliseconds } from "../core/clock.js";
import { ConfigurationError, StorageError } from "../core/errors.js";

/** A call that somebody waits for. */
export interface Call<T> {
  /** Nobody waits any more: what is done now must charge nothing. */
  readonly isOver: boolean;
  /** From here on the answer is known; what still runs only tidies up, and need not be waited for. */
  decided(value: T): void;
  /** Time is up: whoever waits is told so, or what was decided before. */
  end(): void;
}

/**
 * Bounds how long anybody waits, with one timer for all.
 *
 * The work goes on after its time is up, so that it can take back what it did; `call.isOver` tells it.
 */
export class Deadlines {
  /** A ring of all calls under way; this is its start and end. */
  readonly #ring = new RingEntry();
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;

  /** Does the work and gives what it gives, or rejects with a `StorageError` when it fails or is late. */
  run<T>(timeoutMs: Milliseconds, work: (call: Call<T>) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const call = new TimedCall<T>(timeoutMs, resolve, reject);
      this.add(call);
      work(call).then(
        (value) => call.succeed(value),
        (error: unknown) => call.fail(error),
      );
    });
  }

  /** Bounds a call that was made elsewhere, until it has succeeded or failed. */
  add(call: Timed): void {
    call.insertBefore(this.#ring);
    if (call.endsAt < this.#wakesAt) this.#wakeAt(call.endsAt);
  }

  /** Ends all waiting. */
  close(): void {
    clearTimeout(this.#timer);
    this.#forEach((call) => call.fail(new Error("The storage was closed.")));
  }

  #wakeAt(at: number): void {
    clearTimeout(this.#timer);
    this.#wakesAt = at;
    this.#timer = setTimeout(() => this.#wake(), Math.max(1, at - performance.now())).unref();
  }

  #wake(): void {
    this.#wakesAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    this.#forEach((call) => {
      if (call.endsAt <= now) call.end();
      else next = Math.min(next, call.endsAt);
    });
    if (next < Number.POSITIVE_INFINITY) this.#wakeAt(next);
  }

  #forEach(visit: (call: Timed) => void): void {
    for (let entry = this.#ring.next; entry !== this.#ring; ) {
      const { next } = entry;
      if (entry instanceof Timed) visit(entry);
      entry = next;
    }
  }
}

/** An entry of a ring: goes in and out in constant time, without an allocation. */
class RingEntry {
  previous: RingEntry = this;
  next: RingEntry = this;

  insertBefore(entry: RingEntry): void {
    this.previous = entry.previous;
    this.next = entry;
    entry.previous.next = this;
    entry.previous = this;
  }

  remove(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
    // One that has grown old would keep its neighbours from being collected young, and they theirs.
    this.previous = this;
    this.next = this;
  }
}

/** What the timer knows of a call. */
export abstract class Timed extends RingEntry {
  abstract readonly endsAt: number;
  abstract end(): void;
  abstract fail(error: unknown): void;
}

/** A call with a deadline, and the promise of the one who waits for it. */
export class TimedCall<T> extends Timed implements Call<T> {
  readonly endsAt: number;
  readonly #timeoutMs: Milliseconds;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  #decision: { readonly value: T } | undefined;
  #isSettled = false;

  constructor(timeoutMs: Milliseconds, resolve: (value: T) => void, reject: (error: unknown) => void) {
    super();
    this.#timeoutMs = timeoutMs;
    this.endsAt = performance.now() + timeoutMs;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get isOver(): boolean {
    return this.#isSettled || performance.now() >= this.endsAt;
  }

  decided(value: T): void {
    this.#decision = { value };
  }

  /** `false` when it comes too late, and is not heard. */
  succeed(value: T): boolean {
    if (this.#decision === undefined && this.isOver) {
      this.end();
      return false;
    }
    if (!this.#settles()) return false;
    this.#resolve(value);
    return true;
  }

  fail(error: unknown): void {
    if (!this.#settles()) return;
    if (this.#decision === undefined) this.#reject(storageError(error));
    else this.#resolve(this.#decision.value);
  }

  end(): void {
    this.fail(new StorageError(`Memcached did not answer within ${this.#timeoutMs} ms.`));
  }

  /** The first time. */
  #settles(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.remove();
    return true;
  }
}

function storageError(error: unknown): Error {
  if (error instanceof StorageError || error instanceof ConfigurationError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StorageError(`Memcached failed: ${message}`, { cause: error });
}
