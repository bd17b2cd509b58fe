import type { Clock } from "../core/clock.js";
import type { Charge, Claim, HitOptions, Storage } from "../core/storage.js";
import type { Policy, StrategyName, Verdict } from "../core/strategy.js";
import type { MaybePromise } from "../core/when-ready.js";

/** What is known of a storage before its code is loaded. */
export interface LazyStorageOptions {
  readonly name: string;
  readonly strategies: readonly StrategyName[];
  /** Throws for a limit that the storage cannot count. */
  readonly checkPolicy?: (policy: Policy) => void;
  /** Loads the code and makes the storage; called once, at once. */
  readonly load: () => Promise<Storage>;
}

/** A storage whose code is loaded when a URI asks for it, so that nobody loads what he does not use. */
export class LazyStorage implements Storage {
  readonly name: string;
  readonly strategies: readonly StrategyName[];
  readonly checkPolicy: (policy: Policy) => void;
  readonly #loading: Promise<Storage>;
  #storage: Storage | undefined;

  constructor({ name, strategies, checkPolicy = () => {}, load }: LazyStorageOptions) {
    this.name = name;
    this.strategies = strategies;
    this.checkPolicy = checkPolicy;
    this.#loading = load().then((storage) => {
      this.#storage = storage;
      return storage;
    });
    // Whoever asks is told.
    this.#loading.catch(() => {});
  }

  hit(claims: readonly Claim[], options: HitOptions): MaybePromise<readonly Verdict[]> {
    return this.#ask((storage) => storage.hit(claims, options));
  }

  test(claims: readonly Claim[]): MaybePromise<readonly Verdict[]> {
    return this.#ask((storage) => storage.test(claims));
  }

  refund(charges: readonly Charge[]): MaybePromise<void> {
    return this.#ask((storage) => storage.refund(charges));
  }

  clear(claims: readonly Claim[]): MaybePromise<void> {
    return this.#ask((storage) => storage.clear(claims));
  }

  reset(prefix: string): MaybePromise<void> {
    return this.#ask((storage) => storage.reset(prefix));
  }

  async check(): Promise<boolean> {
    try {
      return await (await this.#loading).check();
    } catch {
      return false;
    }
  }

  useClock(clock: Clock): void {
    this.#loading.then(
      (storage) => storage.useClock?.(clock),
      () => {},
    );
  }

  async close(): Promise<void> {
    await this.#loading.then(
      (storage) => storage.close?.(),
      () => {},
    );
  }

  #ask<T>(call: (storage: Storage) => MaybePromise<T>): MaybePromise<T> {
    return this.#storage === undefined ? this.#loading.then(call) : call(this.#storage);
  }
}
