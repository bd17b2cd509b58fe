import type { Milliseconds } from "../core/clock.js";
import { ConfigurationError, StorageError } from "../core/errors.js";

/** A call that somebody waits for. */
export interface Call<T> {
  /** Nobody waits any more: what is done now must charge nothing. */
  readonly isOver: boolean;
  /** From here on the answer is known; what still runs only tidies up, and need not be waited for. */
  decided(value: T): void;
}

/**
 * Bounds how long anybody waits, with one timer for all.
 *
 * The work goes on after its time is up, so that it can take back what it did; `call.isOver` tells it.
 */
export class Deadlines {
  readonly #calls = new Set<Timed>();
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;

  /** Does the work and gives what it gives, or rejects with a `StorageError` when it fails or is late. */
  run<T>(timeoutMs: Milliseconds, work: (call: Call<T>) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const call = new TimedCall<T>(timeoutMs, resolve, reject);
      this.#calls.add(call);
      if (call.endsAt < this.#wakesAt) this.#wakeAt(call.endsAt);
      work(call).then(
        (value) => {
          this.#calls.delete(call);
          call.succeed(value);
        },
        (error: unknown) => {
          this.#calls.delete(call);
          call.fail(error);
        },
      );
    });
  }

  /** Ends all waiting. */
  close(): void {
    clearTimeout(this.#timer);
    for (const call of this.#calls) call.fail(new Error("The storage was closed."));
    this.#calls.clear();
  }

  #wakeAt(at: number): void {
    clearTimeout(this.#timer);
    this.#wakesAt = at;
    this.#timer = setTimeout(() => this.#wake(), Math.max(1, at - performance.now())).unref();
  }

  #wake(): void {
    this.#wakesAt = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const call of this.#calls) {
      if (call.isOver) {
        this.#calls.delete(call);
        call.end();
      } else {
        next = Math.min(next, call.endsAt);
      }
    }
    if (next < Number.POSITIVE_INFINITY) this.#wakeAt(next);
  }
}

/** What the timer knows of a call. */
interface Timed {
  readonly endsAt: number;
  readonly isOver: boolean;
  end(): void;
  fail(error: unknown): void;
}

class TimedCall<T> implements Call<T>, Timed {
  readonly endsAt: number;
  readonly #timeoutMs: Milliseconds;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  #decision: { readonly value: T } | undefined;
  #isSettled = false;

  constructor(timeoutMs: Milliseconds, resolve: (value: T) => void, reject: (error: unknown) => void) {
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

  succeed(value: T): void {
    if (this.#decision !== undefined || !this.isOver) this.#settle(() => this.#resolve(value));
    else this.end();
  }

  fail(error: unknown): void {
    const decision = this.#decision;
    this.#settle(() =>
      decision === undefined ? this.#reject(storageError(error)) : this.#resolve(decision.value),
    );
  }

  /** Time is up. */
  end(): void {
    this.fail(new StorageError(`Memcached did not answer within ${this.#timeoutMs} ms.`));
  }

  #settle(settle: () => void): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    settle();
  }
}

function storageError(error: unknown): Error {
  if (error instanceof StorageError || error instanceof ConfigurationError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StorageError(`Memcached failed: ${message}`, { cause: error });
}
