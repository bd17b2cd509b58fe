import { checkNames } from "../core/check-names.js";
import { followsOneOf } from "../core/claim.js";
import type { Clock, EpochMilliseconds } from "../core/clock.js";
import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";
import { STRATEGY_NAMES } from "../core/policy.js";
import type { Charge, Claim, HitOptions, Storage } from "../core/storage.js";
import type { StorageInstant, StrategyName, Verdict } from "../core/strategy.js";
import { warnInClusterWorker } from "./cluster-warning.js";
import { Counters } from "./counters.js";
import { IdleSweep, type Sweepable } from "./idle-sweep.js";
import { SlotTable } from "./slot-table.js";
import { monotonicClock, StorageTime } from "./storage-time.js";
import { verdictOf } from "./verdicts.js";

/** Options of {@link MemoryStorage}. */
export interface MemoryStorageOptions {
  /**
   * The most keys that are kept, at least 1. When it is full the least filled of a handful of counters makes
   * room, and one that refuses its client last of all: fresh keys do not push out a client that is blocked.
   * A million keys of fixed windows take about 40 MB. @default 1_000_000
   */
  readonly maxKeys?: number | undefined;
  /** Drives the windows; tests pass a `ManualClock`. @default a monotonic clock */
  readonly clock?: Clock | undefined;
}

const OPTION_NAMES: readonly (keyof MemoryStorageOptions)[] = ["maxKeys", "clock"];
const DEFAULT_MAX_KEYS = 1_000_000;

/** Segments that a slice of the idle sweep passes: a fraction of a millisecond. */
const SEGMENTS_SWEPT_PER_SLICE = 8;

/**
 * Counts in this process. Answers at once, without a promise.
 *
 * Bounded by `maxKeys`, a few dozen bytes per key, and never a pause: `docs/memory-storage.md` explains how.
 * Expired counters go in passing, some for every new key. While nobody comes, a timer that keeps no process
 * alive gives their memory back; `close` stops it.
 */
export class MemoryStorage implements Storage {
  readonly name = "memory";
  readonly strategies: readonly StrategyName[] = STRATEGY_NAMES;
  readonly #table: SlotTable;
  readonly #counters: Counters;
  readonly #idleSweep = new IdleSweep();
  readonly #sweepable: Sweepable = { sweepSlice: () => this.#sweepSlice() };
  readonly #hasOwnClock: boolean;
  #time: StorageTime;
  #hasKeys = false;

  /** The second argument is for tests of the table itself. */
  constructor(options: MemoryStorageOptions = {}, table: SlotTable = new SlotTable()) {
    checkNames("MemoryStorage", options, OPTION_NAMES);
    const { maxKeys = DEFAULT_MAX_KEYS, clock } = options;
    if (!Number.isSafeInteger(maxKeys) || maxKeys < 1) {
      throw new ConfigurationError(`maxKeys must be a whole number from 1, got ${describe(maxKeys)}.`);
    }
    this.#table = table;
    this.#counters = new Counters(table, maxKeys, () => this.#onNewKey());
    this.#hasOwnClock = clock !== undefined;
    this.#time = new StorageTime(clock ?? monotonicClock);
  }

  /** How many keys are held, expired ones that were not passed yet included. */
  get size(): number {
    return this.#table.size;
  }

  /** How many counters had to make room for others before they expired. Grows only while `size` is `maxKeys`. */
  get evicted(): number {
    return this.#counters.upkeep.evicted;
  }

  /** Bytes of the table: all but a constant of what the storage takes. */
  get bytes(): number {
    return this.#table.bytes;
  }

  /** A limiter with a clock of its own lends it to a storage that was given none. */
  useClock(clock: Clock): void {
    if (!this.#hasOwnClock && this.size === 0) this.#time = new StorageTime(clock);
  }

  hit(claims: readonly Claim[], options: HitOptions): readonly Verdict[] {
    const now = this.#time.now();
    const only = claims[0];
    if (claims.length === 1 && only !== undefined && only.role === "limit") {
      return [this.#counters.charge(only, now)];
    }
    if (!this.#counters.fitAll(claims, now)) return this.#refuse(claims, options, now);
    return this.#counters.chargeAll(claims, now);
  }

  /** By the system's clock, to 10 ms after it was corrected; `undefined` with a clock of its own. */
  get decidedAt(): EpochMilliseconds | undefined {
    return this.#time.wallTime;
  }

  test(claims: readonly Claim[]): readonly Verdict[] {
    const now = this.#time.now();
    return claims.map((claim) => this.#counters.test(claim, now));
  }

  refund(charges: readonly Charge[]): void {
    const now = this.#time.now();
    for (const charge of charges) this.#counters.refund(charge, now);
  }

  clear(claims: readonly Claim[]): void {
    for (const claim of claims) this.#counters.clear(claim);
  }

  /**
   * Forgets every counter whose key starts with the prefix.
   *
   * Keys are not kept, only what they start with, up to the brace before the client: throws
   * `ConfigurationError` for a prefix that goes on behind it. A key without a brace goes only with all others,
   * by `reset("")`. Takes about 10 ms for a million keys, nothing if all of them go.
   */
  reset(prefix: string): void {
    const brace = prefix.indexOf("{");
    if (brace >= 0 && brace < prefix.length - 1) {
      throw new ConfigurationError(
        `The memory storage keeps no keys, so it cannot reset those that start with ${JSON.stringify(prefix)}. End the prefix at "{", or use clear for one client.`,
      );
    }
    this.#counters.reset(prefix);
  }

  check(): boolean {
    return true;
  }

  /** Stops giving memory back while nobody comes. The storage goes on counting. */
  close(): void {
    this.#idleSweep.stop();
  }

  /** Something in the list has no room. */
  #refuse(claims: readonly Claim[], { mode }: HitOptions, now: StorageInstant): Verdict[] {
    const verdicts = claims.map((claim) => this.#counters.test(claim, now));
    claims.forEach((claim, i) => {
      const verdict = verdicts[i];
      if (verdict?.allowed === false) this.#counters.noteRefusal(claim, verdict);
    });
    const isRefused = (claim: Claim, i: number) => verdicts[i]?.allowed === false && claim.role === "limit";
    if (claims.some((claim, i) => claim.role === "meta" && verdicts[i]?.allowed === false)) return verdicts;
    const refused = claims.filter(isRefused);
    if (mode === "each") {
      claims.forEach((claim, i) => {
        if (claim.role === "limit" && !isRefused(claim, i)) verdicts[i] = this.#counters.charge(claim, now);
      });
    }
    claims.forEach((claim, i) => {
      if (!followsOneOf(refused, claim)) return;
      this.#counters.charge(claim, now);
      verdicts[i] = verdictOf(this.#counters.test(claim, now), true);
    });
    return verdicts;
  }

  #onNewKey(): void {
    if (!this.#hasKeys) warnInClusterWorker();
    this.#hasKeys = true;
    if (this.#table.segments.length > 1) this.#idleSweep.start(this.#sweepable);
  }

  /** A single segment is too small to be worth a timer. */
  #sweepSlice(): boolean {
    const now = this.#time.now();
    for (let i = 0; i < SEGMENTS_SWEPT_PER_SLICE; i++) {
      this.#counters.upkeep.sweepSegment(now);
    }
    return this.#table.segments.length > 1;
  }
}
