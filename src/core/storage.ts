import type { Clock, EpochMilliseconds, Milliseconds } from "./clock.js";
import type { KeyPlace } from "./key.js";
import type { Policy, Receipt, StrategyName, Verdict } from "./strategy.js";

/** One counter that a request wants to charge. */
export interface Claim {
  readonly policy: Policy;
  /**
   * The stored key: printable ASCII without blanks. One client's keys hold the same `{…}`, which a Redis
   * Cluster takes as the hash tag. Parts that could be long are hashed before they get here.
   */
  readonly key: string;
  /**
   * The client's part of the key, and all the rest: where both are given, two claims have the same key exactly
   * when both are the same. A storage that hashes may use them and never ask for `key`.
   */
  readonly owner?: string | undefined;
  readonly place?: KeyPlace | undefined;
  /**
   * The text that `owner` is the escaped form of, where it is made when somebody asks: a storage that hashes may
   * read this, and ask for `owner` only when a character of it has to be escaped.
   */
  readonly client?: string | undefined;
  /** Units to charge: a whole number from 0. */
  readonly cost: number;
  /**
   * `"limit"`: charged when all limits have room. `"meta"`: must have room, but is charged only when a limit
   * of the same list refuses: a limit on breaches, or a block that follows one.
   */
  readonly role: "limit" | "meta";
  /**
   * Of a `"meta"` claim: the claim in the same list whose refusal charges it. Default: any. By one that is not in the
   * list it is never charged: it is only asked.
   */
  readonly parent?: Claim | undefined;
}

/** A charge to give back: the claim, and the verdict that the hit gave. */
export interface Charge {
  readonly claim: Claim;
  readonly receipt: Receipt;
}

/** How a list is decided. */
export interface HitOptions {
  /** `"all"`: all claims are charged or none. `"each"`: every claim is charged that has room. */
  readonly mode: "all" | "each";
  /** The caller stops waiting then: a storage that would decide later must charge nothing. */
  readonly timeoutMs?: Milliseconds | undefined;
}

/**
 * Where counters live. `docs/storages.md` shows how to write one; `storageContract` tests it.
 *
 * Promises:
 * - Each call takes effect in one atomic step, or at least in a way in which no limit ever admits more than
 *   its amount, however many calls and processes run at once.
 * - Verdicts come in the order of the claims. Keys in one list are distinct.
 * - Time never steps back, and every key expires by itself.
 * - It answers at once or with a promise; failures are thrown or rejected, refusals are verdicts.
 */
export interface Storage {
  /** For messages: `"memory"`, `"redis"`. */
  readonly name: string;
  /** The strategies it can run. */
  readonly strategies: readonly StrategyName[];

  /**
   * Throws `ConfigurationError` for a limit that this storage cannot count exactly: an amount that is too large
   * for its strategy, say. Asked when a limit is built; absent when the storage can run them all.
   */
  checkPolicy?(policy: Policy): void;

  /**
   * Decides a list.
   *
   * 1. Every meta claim is tested. If one has no room, nothing is charged; its verdict is the refusal, the
   *    others' verdicts are tests.
   * 2. Every limit is tested. If all have room (or, in mode `"each"`, those that have), they are charged, and
   *    their verdicts describe the state after it. The verdict of a limit that was not charged describes the
   *    state as it is.
   * 3. If a limit refused, the meta claims that follow it are charged. Their verdicts are tests made after
   *    that, with `allowed: true`, since they did not refuse: `retryAfterMs` above 0 says that they will now.
   */
  hit(claims: readonly Claim[], options: HitOptions): readonly Verdict[] | Promise<readonly Verdict[]>;

  /**
   * The wall time when it last answered a hit at once, by the system's clock; `undefined` where it goes by another.
   * For storages that read a clock anyhow: who asked need not read a second one. Reading it takes 40 ns.
   */
  readonly decidedAt?: EpochMilliseconds | undefined;

  /** What a hit of each claim on its own would say; charges nothing. */
  test(claims: readonly Claim[]): readonly Verdict[] | Promise<readonly Verdict[]>;

  /** Takes charges back as far as they still count. Unknown and expired ones are ignored. */
  refund(charges: readonly Charge[]): void | Promise<void>;

  /** Forgets these counters. */
  clear(claims: readonly Claim[]): void | Promise<void>;

  /** Forgets every counter whose key starts with the prefix. A storage that cannot list its keys throws. */
  reset(prefix: string): void | Promise<void>;

  /** Is it there? Never throws; resolves to false instead. */
  check(): boolean | Promise<boolean>;

  /** Takes its time from this clock, if it has no better one. Called once, when a limiter has its own clock. */
  useClock?(clock: Clock): void;

  /** Releases what it opened itself: timers, connections made from a URI. */
  close?(): void | Promise<void>;
}

/** Decided together, charged together. */
export const ALL_OR_NOTHING: HitOptions = { mode: "all" };
