import type { Clock, Milliseconds } from "../core/clock.js";
import { StorageError } from "../core/errors.js";
import type { Charge, Claim, HitOptions, Storage } from "../core/storage.js";
import type { StrategyName, Verdict } from "../core/strategy.js";
import type { MaybePromise } from "../core/when-ready.js";

/** The operations that {@link FaultyStorage} counts and disturbs. */
export type StorageOperation = "hit" | "test" | "refund" | "clear" | "reset" | "check";

type Condition =
  | { readonly kind: "healthy" }
  | { readonly kind: "failing"; readonly error: unknown }
  | { readonly kind: "hanging" }
  | { readonly kind: "slow"; readonly delayMs: Milliseconds };

const HEALTHY: Condition = { kind: "healthy" };

/**
 * A storage that fails when told to, around one that works: for tests of what an application does then.
 *
 * A condition holds for every call that begins until the next `fail`, `hang`, `delay` or `heal`. A call that
 * fails, or hangs, never reaches the storage inside.
 *
 * @example
 * const storage = new FaultyStorage(new MemoryStorage());
 * storage.fail();  // every call rejects
 * storage.heal();  // as if nothing had been
 * storage.calls.hit; // how often it was asked
 */
export class FaultyStorage implements Storage {
  readonly name: string;
  readonly strategies: readonly StrategyName[];
  readonly #inner: Storage;
  readonly #calls: Record<StorageOperation, number> = {
    hit: 0,
    test: 0,
    refund: 0,
    clear: 0,
    reset: 0,
    check: 0,
  };
  #condition: Condition = HEALTHY;

  constructor(inner: Storage) {
    this.#inner = inner;
    this.name = `faulty ${inner.name}`;
    this.strategies = inner.strategies;
  }

  /** How often each operation was called, in whatever condition. A copy: it does not change later. */
  get calls(): Readonly<Record<StorageOperation, number>> {
    return { ...this.#calls };
  }

  /** From now on every call rejects with this error, and `check` gives false. */
  fail(error: unknown = new StorageError("The storage was told to fail.")): void {
    this.#condition = { kind: "failing", error };
  }

  /** From now on no call is ever answered. Those stay unanswered after `heal`, too. */
  hang(): void {
    this.#condition = { kind: "hanging" };
  }

  /**
   * From now on every call takes effect only after so many milliseconds of real time.
   *
   * A `hit` whose `timeoutMs` is shorter than that charges nothing and rejects, as the contract asks.
   */
  delay(ms: Milliseconds): void {
    if (!Number.isFinite(ms) || ms < 0) {
      throw new RangeError(`delay takes a number of milliseconds from 0, got ${String(ms)}.`);
    }
    this.#condition = { kind: "slow", delayMs: ms };
  }

  /** From now on calls go straight through. */
  heal(): void {
    this.#condition = HEALTHY;
  }

  hit(claims: readonly Claim[], options: HitOptions): MaybePromise<readonly Verdict[]> {
    return this.#call("hit", () => this.#inner.hit(claims, options), options.timeoutMs);
  }

  test(claims: readonly Claim[]): MaybePromise<readonly Verdict[]> {
    return this.#call("test", () => this.#inner.test(claims));
  }

  refund(charges: readonly Charge[]): MaybePromise<void> {
    return this.#call("refund", () => this.#inner.refund(charges));
  }

  clear(claims: readonly Claim[]): MaybePromise<void> {
    return this.#call("clear", () => this.#inner.clear(claims));
  }

  reset(prefix: string): MaybePromise<void> {
    return this.#call("reset", () => this.#inner.reset(prefix));
  }

  check(): MaybePromise<boolean> {
    if (this.#condition.kind !== "failing") return this.#call("check", () => this.#inner.check());
    this.#calls.check++;
    return Promise.resolve(false);
  }

  useClock(clock: Clock): void {
    this.#inner.useClock?.(clock);
  }

  close(): MaybePromise<void> {
    return this.#inner.close?.();
  }

  #call<T>(
    operation: StorageOperation,
    run: () => MaybePromise<T>,
    timeoutMs: Milliseconds = Number.POSITIVE_INFINITY,
  ): MaybePromise<T> {
    this.#calls[operation]++;
    const condition = this.#condition;
    switch (condition.kind) {
      case "healthy":
        return run();
      case "failing":
        return Promise.reject(condition.error);
      case "hanging":
        return new Promise<T>(() => {});
      case "slow":
        return later(condition.delayMs, timeoutMs, run);
    }
  }
}

async function later<T>(
  delayMs: Milliseconds,
  timeoutMs: Milliseconds,
  run: () => MaybePromise<T>,
): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  if (delayMs > timeoutMs) {
    throw new StorageError(`The storage took ${delayMs} ms; the caller waits only ${timeoutMs} ms.`);
  }
  return run();
}
