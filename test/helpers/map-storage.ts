import type { Clock } from "../../src/core/clock.js";
import { ConfigurationError } from "../../src/core/errors.js";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import type { Charge, Claim, HitOptions, Storage } from "../../src/core/storage.js";
import type { Policy, StorageInstant, StrategyName, Transition, Verdict } from "../../src/core/strategy.js";
import { monotonicClock, StorageTime } from "../../src/memory/storage-time.js";

/** Options of {@link MapStorage}. */
export interface MapStorageOptions {
  /**
   * The most keys that are kept, at least 1. When it is full the least filled of a handful of counters makes
   * room, so that fresh keys do not push out a client that is blocked. @default 1_000_000
   */
  readonly maxKeys?: number | undefined;
  /** Drives the windows; tests pass a `ManualClock`. @default a monotonic clock */
  readonly clock?: Clock | undefined;
}

const DEFAULT_MAX_KEYS = 1_000_000;

/** How many entries are looked at, on each new key, for ones that expired. */
const SWEPT_PER_NEW_KEY = 2;

/** Among so many entries the least filled one is evicted when the storage is full. */
const EVICTION_CANDIDATES = 16;

/**
 * So many are looked at when the first ones are all fuller than the newcomer: blocked clients come to stand
 * side by side, because the others between them go.
 */
const MOST_EVICTION_CANDIDATES = 256;

interface Entry {
  readonly policy: Policy;
  state: object;
  expiresAt: StorageInstant;
}

/**
 * Counts in this process. Answers at once, without a promise.
 *
 * Bounded by `maxKeys`. There is no timer: expired counters go in passing, two for every new key, so no
 * request pays for a sweep.
 */
export class MapStorage implements Storage {
  readonly name = "memory";
  readonly strategies: readonly StrategyName[] = STRATEGY_NAMES;
  readonly #entries = new Map<string, Entry>();
  readonly #maxKeys: number;
  #time: StorageTime;
  readonly #hasOwnClock: boolean;
  #hand: Iterator<[string, Entry]> = this.#entries.entries();

  constructor(options: MapStorageOptions = {}) {
    const { maxKeys = DEFAULT_MAX_KEYS, clock } = options;
    if (!Number.isSafeInteger(maxKeys) || maxKeys < 1) {
      throw new ConfigurationError(`maxKeys must be a whole number from 1, got ${String(maxKeys)}.`);
    }
    this.#maxKeys = maxKeys;
    this.#hasOwnClock = clock !== undefined;
    this.#time = new StorageTime(clock ?? monotonicClock);
  }

  /** How many keys are held, expired ones that were not passed yet included. */
  get size(): number {
    return this.#entries.size;
  }

  /** A limiter with a clock of its own lends it to a storage that was given none. */
  useClock(clock: Clock): void {
    if (!this.#hasOwnClock && this.#entries.size === 0) this.#time = new StorageTime(clock);
  }

  hit(claims: readonly Claim[], options: HitOptions): readonly Verdict[] {
    const now = this.#time.now();
    const only = claims[0];
    if (claims.length === 1 && only !== undefined && only.role === "limit") return [this.#charge(only, now)];
    return this.#hitTogether(claims, options, now);
  }

  test(claims: readonly Claim[]): readonly Verdict[] {
    const now = this.#time.now();
    return claims.map((claim) => this.#test(claim, now));
  }

  refund(charges: readonly Charge[]): void {
    const now = this.#time.now();
    for (const { claim, receipt } of charges) {
      const entry = this.#live(claim.key, now);
      if (entry === undefined) continue;
      const state = claim.policy.strategy.refund(entry.state, claim.policy, claim.cost, receipt, now);
      if (state === undefined) this.#entries.delete(claim.key);
      else entry.state = state;
    }
  }

  clear(claims: readonly Claim[]): void {
    for (const claim of claims) this.#entries.delete(claim.key);
  }

  reset(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }

  check(): boolean {
    return true;
  }

  #hitTogether(claims: readonly Claim[], options: HitOptions, now: StorageInstant): Verdict[] {
    const verdicts = claims.map((claim) => this.#test(claim, now));
    const isRefused = (claim: Claim, i: number) => verdicts[i]?.allowed === false && claim.role === "limit";
    if (claims.some((claim, i) => claim.role === "meta" && verdicts[i]?.allowed === false)) return verdicts;
    const refused = claims.filter(isRefused);
    if (refused.length === 0 || options.mode === "each") {
      claims.forEach((claim, i) => {
        if (claim.role === "limit" && !isRefused(claim, i)) verdicts[i] = this.#charge(claim, now);
      });
    }
    if (refused.length > 0) this.#chargeMeta(claims, verdicts, refused, now);
    return verdicts;
  }

  #chargeMeta(
    claims: readonly Claim[],
    verdicts: Verdict[],
    refused: readonly Claim[],
    now: StorageInstant,
  ): void {
    claims.forEach((claim, i) => {
      if (claim.role !== "meta") return;
      if (claim.parent !== undefined && !refused.includes(claim.parent)) return;
      this.#charge(claim, now);
      verdicts[i] = { ...this.#test(claim, now), allowed: true };
    });
  }

  #test(claim: Claim, now: StorageInstant): Verdict {
    return claim.policy.strategy.test(this.#live(claim.key, now)?.state, claim.policy, claim.cost, now);
  }

  #charge(claim: Claim, now: StorageInstant): Verdict {
    const entry = this.#live(claim.key, now);
    const transition = claim.policy.strategy.hit(entry?.state, claim.policy, claim.cost, now);
    this.#store(claim, entry, transition, now);
    return transition;
  }

  #store(claim: Claim, entry: Entry | undefined, transition: Transition<object>, now: StorageInstant): void {
    const { state, expiresAt } = transition;
    if (entry !== undefined && state !== undefined) {
      entry.state = state;
      entry.expiresAt = expiresAt;
    } else if (state !== undefined) {
      const newcomer = { policy: claim.policy, state, expiresAt };
      this.#makeRoomFor(newcomer, now);
      this.#entries.set(claim.key, newcomer);
    } else if (entry !== undefined) {
      this.#entries.delete(claim.key);
    }
  }

  #live(key: string, now: StorageInstant): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresAt > now) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  #makeRoomFor(newcomer: Entry, now: StorageInstant): void {
    if (this.#entries.size >= this.#maxKeys) this.#evict(debtOf(newcomer, now), now);
    else for (let i = 0; i < SWEPT_PER_NEW_KEY; i++) this.#dropIfExpired(this.#advanceHand(), now);
  }

  /** Drops the first expired entry that the hand meets, else the least filled one. */
  #evict(newcomersDebt: number, now: StorageInstant): void {
    let leastKey: string | undefined;
    let leastDebt = Number.POSITIVE_INFINITY;
    for (let i = 0; i < (leastDebt > newcomersDebt ? MOST_EVICTION_CANDIDATES : EVICTION_CANDIDATES); i++) {
      const candidate = this.#advanceHand();
      if (candidate === undefined || this.#dropIfExpired(candidate, now)) return;
      const [key, entry] = candidate;
      const debt = debtOf(entry, now);
      if (debt >= leastDebt) continue;
      leastKey = key;
      leastDebt = debt;
    }
    if (leastKey !== undefined) this.#entries.delete(leastKey);
  }

  #dropIfExpired(entry: [string, Entry] | undefined, now: StorageInstant): boolean {
    return entry !== undefined && entry[1].expiresAt <= now && this.#entries.delete(entry[0]);
  }

  /** The next entry in the order of insertion, around and around. */
  #advanceHand(): [string, Entry] | undefined {
    const next = this.#hand.next();
    if (next.done !== true) return next.value;
    this.#hand = this.#entries.entries();
    const first = this.#hand.next();
    return first.done === true ? undefined : first.value;
  }
}

function debtOf({ policy, state }: Entry, now: StorageInstant): number {
  return policy.strategy.debt(state, policy, now);
}
