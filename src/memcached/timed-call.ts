import type { Milliseconds } from "../core/clock.js";
import { type Deadlines, Expiring } from "../core/deadlines.js";
import { ConfigurationError, StorageError } from "../core/errors.js";

/** A call that somebody waits for. */
export interface Call<T> {
  /** Nobody waits any more: what is done now must charge nothing. */
  readonly isOver: boolean;
  /** From here on the answer is known; what still runs only tidies up, and need not be waited for. */
  decided(value: T): void;
}

/**
 * Does the work and gives what it gives, or rejects with a `StorageError` when it fails or is late.
 *
 * The work goes on after its time is up, so that it can take back what it did; `call.isOver` tells it.
 */
export function runInTime<T>(
  deadlines: Deadlines,
  timeoutMs: Milliseconds,
  work: (call: Call<T>) => Promise<T>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const call = new TimedCall<T>(deadlines, timeoutMs, resolve, reject);
    work(call).then(
      (value) => call.succeed(value),
      (error: unknown) => call.fail(error),
    );
  });
}

/** A call with a deadline, and the promise of the one who waits for it. */
export class TimedCall<T> extends Expiring implements Call<T> {
  isOver = false;
  readonly #deadlines: Deadlines;
  readonly #timeoutMs: Milliseconds;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  #decision: { readonly value: T } | undefined;

  constructor(
    deadlines: Deadlines,
    timeoutMs: Milliseconds,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    super(performance.now() + timeoutMs);
    this.#deadlines = deadlines;
    this.#timeoutMs = timeoutMs;
    this.#resolve = resolve;
    this.#reject = reject;
    deadlines.add(this);
  }

  decided(value: T): void {
    this.#decision = { value };
  }

  /** `false` when it comes too late, and is not heard. */
  succeed(value: T): boolean {
    if (!this.#ends()) return false;
    this.#resolve(value);
    return true;
  }

  fail(error: unknown): void {
    if (!this.#ends()) return;
    if (this.#decision === undefined) this.#reject(storageError(error));
    else this.#resolve(this.#decision.value);
  }

  expire(reason: Error = new StorageError(`Memcached did not answer within ${this.#timeoutMs} ms.`)): void {
    this.fail(reason);
  }

  /** The first time. */
  #ends(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.#deadlines.delete(this);
    return true;
  }
}

function storageError(error: unknown): Error {
  if (error instanceof StorageError || error instanceof ConfigurationError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StorageError(`Memcached failed: ${message}`, { cause: error });
}
