import { chargesOf } from "../core/charges-of.js";
import type { Milliseconds } from "../core/clock.js";
import { Deadlines } from "../core/deadlines.js";
import { ConfigurationError, StorageError } from "../core/errors.js";
import type { Charge, Claim, HitOptions, Storage } from "../core/storage.js";
import type { Verdict } from "../core/strategy.js";
import { isPromise, type MaybePromise } from "../core/when-ready.js";
import { CircuitBreaker, type OutageEvents } from "./circuit-breaker.js";
import { DeadlinePassed } from "./deadline-passed.js";

/** Options of {@link StorageGuard}. */
export interface GuardOptions {
  readonly storage: Storage;
  /** Counts while the storage is away; `undefined` for no fallback. */
  readonly fallback: Storage | undefined;
  /** The fallback counts the same limits: {@link StorageGuard.hit} goes on with it by itself. */
  readonly fallbackInherits: boolean;
  readonly timeoutMs: Milliseconds;
  /** What a probe charges: only a storage that can write is back. */
  readonly probe: Claim;
  readonly events: OutageEvents;
}

const NO_VERDICTS: readonly Verdict[] = [];

/**
 * Stands between requests and a storage that may be slow, dead or back again.
 *
 * Every call has a deadline; a hit whose answer comes after it is given back. When the storage is lost, requests
 * go to the fallback, or fail at once, until it is back. Loss and recovery are told once each.
 */
export class StorageGuard {
  readonly storage: Storage;
  readonly fallback: Storage | undefined;
  readonly #fallbackInherits: boolean;
  readonly #deadlines = new Deadlines();
  readonly #breaker: CircuitBreaker;
  readonly #timeoutMs: Milliseconds;
  readonly #probeClaim: Claim;
  readonly #hitOptions: Readonly<Record<HitOptions["mode"], HitOptions>>;
  readonly #decidedByFallback = new WeakSet<readonly Verdict[]>();

  constructor(options: GuardOptions) {
    const { timeoutMs } = options;
    this.storage = options.storage;
    this.fallback = options.fallback;
    this.#fallbackInherits = options.fallbackInherits;
    this.#timeoutMs = timeoutMs;
    this.#breaker = new CircuitBreaker({ events: options.events, probe: () => this.#isThere() });
    this.#probeClaim = options.probe;
    this.#hitOptions = { all: { mode: "all", timeoutMs }, each: { mode: "each", timeoutMs } };
  }

  /** The storage has failed and was not seen well since. */
  get isLost(): boolean {
    return this.#breaker.isLost;
  }

  /** Decides a list, by the fallback if there is one and the storage fails. Fails with `StorageError` only. */
  hit(claims: readonly Claim[], mode: HitOptions["mode"]): MaybePromise<readonly Verdict[]> {
    const options = this.#hitOptions[mode];
    const { reason } = this.#breaker;
    if (reason !== undefined) return this.#goOnWithFallback(claims, options, reason);
    let verdicts: MaybePromise<readonly Verdict[]>;
    try {
      verdicts = this.storage.hit(claims, options);
    } catch (error) {
      return this.#goOnWithFallback(claims, options, this.#failed(error));
    }
    if (isPromise(verdicts)) return this.#hitInTime(claims, options, verdicts);
    this.#decided(claims, mode, verdicts);
    return verdicts;
  }

  /** Asks without charging, as {@link hit} does. */
  test(claims: readonly Claim[]): MaybePromise<readonly Verdict[]> {
    return this.#ask((storage) => storage.test(claims));
  }

  /** Gives charges back to the storage that made them. A storage that is lost has lost them. */
  refund(charges: readonly Charge[], decidedIn: readonly Verdict[]): MaybePromise<void> {
    const storage = this.#decidedByFallback.has(decidedIn) ? this.fallback : this.storage;
    if (storage === undefined || (storage === this.storage && this.#breaker.reason !== undefined)) return;
    return this.#quietly(() => storage.refund(charges));
  }

  /** Forgets counters, in the fallback too. */
  clear(claims: readonly Claim[]): MaybePromise<void> {
    if (this.isLost) void this.fallback?.clear(claims);
    return this.#ask((storage) => storage.clear(claims));
  }

  /** Forgets all counters under a prefix, in the fallback too. */
  reset(prefix: string): MaybePromise<void> {
    void this.fallback?.reset(prefix);
    return this.#ask((storage) => storage.reset(prefix), false);
  }

  /** The guard as a storage, for the engine that runs outside requests. */
  asStorage(): Storage {
    const { name, strategies } = this.storage;
    return {
      name,
      strategies,
      hit: (claims, options) => this.hit(claims, options.mode),
      test: (claims) => this.test(claims),
      refund: (charges) => this.refund(charges, NO_VERDICTS),
      clear: (claims) => this.clear(claims),
      reset: (prefix) => this.reset(prefix),
      check: () => this.storage.check(),
      checkPolicy: (policy) => this.storage.checkPolicy?.(policy),
    };
  }

  /** Tells of no loss from now on, and resolves when the calls under way have ended: when their time is up at the latest. */
  close(): Promise<void> {
    this.#breaker.close();
    return this.#deadlines.whenDone(this.#timeoutMs);
  }

  #hitInTime(
    claims: readonly Claim[],
    options: HitOptions,
    verdicts: Promise<readonly Verdict[]>,
  ): Promise<readonly Verdict[]> {
    const askedAt = performance.now();
    return this.#inTime(verdicts).then(
      (decided) => {
        this.#decided(claims, options.mode, decided);
        return decided;
      },
      (error) => {
        if (error instanceof DeadlinePassed) void this.#giveBackLate(claims, options.mode, verdicts);
        return this.#goOnWithFallback(claims, options, this.#failed(error, askedAt));
      },
    );
  }

  #ask<T>(call: (storage: Storage) => MaybePromise<T>, hasDeadline = true): MaybePromise<T> {
    const { reason } = this.#breaker;
    if (reason !== undefined && this.fallback !== undefined) return call(this.fallback);
    if (reason !== undefined) throw reason;
    const askedAt = performance.now();
    try {
      const answer = call(this.storage);
      if (!isPromise(answer)) return answer;
      const inTime = hasDeadline ? this.#inTime(answer) : answer;
      return inTime.catch((error) => {
        throw this.#failed(error, askedAt);
      });
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    return this.#deadlines.race(answer, this.#timeoutMs, () => new DeadlinePassed(this.#timeoutMs));
  }

  #quietly(call: () => MaybePromise<void>): MaybePromise<void> {
    const askedAt = performance.now();
    try {
      const done = call();
      if (!isPromise(done)) return;
      return this.#inTime(done).catch((error) => {
        this.#failed(error, askedAt);
      });
    } catch (error) {
      this.#failed(error);
    }
  }

  /** The storage was in time by its own clock, and late by ours: nobody was told of what it charged. */
  async #giveBackLate(
    claims: readonly Claim[],
    mode: HitOptions["mode"],
    verdicts: MaybePromise<readonly Verdict[]>,
  ): Promise<void> {
    try {
      const charges = chargesOf(claims, await verdicts, mode);
      if (charges.length > 0) await this.storage.refund(charges);
    } catch {
      // It charged nothing, or is lost with what it charged.
    }
  }

  #goOnWithFallback(
    claims: readonly Claim[],
    options: HitOptions,
    error: StorageError,
  ): MaybePromise<readonly Verdict[]> {
    if (this.fallback === undefined || !this.#fallbackInherits) throw error;
    return this.hitFallback(this.fallback, claims, options);
  }

  /** Decides a list by the fallback, and remembers that it did, for refunds. */
  hitFallback(
    fallback: Storage,
    claims: readonly Claim[],
    options: HitOptions,
  ): MaybePromise<readonly Verdict[]> {
    const verdicts = fallback.hit(claims, options);
    if (!isPromise(verdicts)) this.#decidedByFallback.add(verdicts);
    return verdicts;
  }

  /**
   * Notes a failure. A storage may keep the same deadline itself, and its error may be here first: the time tells.
   * A storage that cannot be (a package is missing) is no outage: that error is thrown as it is.
   */
  #failed(cause: unknown, askedAt = performance.now()): StorageError {
    if (cause instanceof ConfigurationError) throw cause;
    const error = toStorageError(cause, this.storage.name, this.#timeoutMs);
    const tookMs = performance.now() - askedAt;
    const isTimeout = cause instanceof DeadlinePassed || tookMs >= this.#timeoutMs * 0.9;
    this.#breaker.failed({ error, askedAt, isTimeout });
    return error;
  }

  /** A refusal says nothing about a storage that was lost: a server that cannot write can still refuse. */
  #decided(claims: readonly Claim[], mode: HitOptions["mode"], verdicts: readonly Verdict[]): void {
    if (!this.#breaker.isLost) return;
    if (chargesOf(claims, verdicts, mode).some(({ claim }) => claim.cost > 0)) this.#breaker.succeeded();
  }

  async #isThere(): Promise<boolean> {
    try {
      if (!(await this.#inTime(Promise.resolve(this.storage.check())))) return false;
      await this.#inTime(Promise.resolve(this.storage.hit([this.#probeClaim], this.#hitOptions.all)));
      return true;
    } catch {
      return false;
    }
  }
}

function toStorageError(cause: unknown, name: string, timeoutMs: Milliseconds): StorageError {
  if (cause instanceof StorageError) return cause;
  const what = cause instanceof DeadlinePassed ? `gave no answer within ${timeoutMs} ms` : "failed";
  return new StorageError(`The ${name} storage ${what}.`, { cause });
}
