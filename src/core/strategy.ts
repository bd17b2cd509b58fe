import type { Milliseconds } from "./clock.js";
import type { RateLimit } from "./rate-limit.js";

/** The strategies one can ask for by name. `docs/strategies.md` helps to choose. */
export type StrategyName = "fixed-window" | "moving-window" | "sliding-window-counter" | "token-bucket";

/**
 * An instant on a storage's own time line, in whole milliseconds.
 *
 * Only differences mean something: a storage may count from its start, from a recent epoch, on a server's clock.
 * Below 2^38 (8.7 years), or token buckets of awkward amounts lose precision. It never steps back.
 */
export type StorageInstant = number;

/** A limit together with how it is counted: all that a storage must know. Made once by `createPolicy`. */
export interface Policy {
  readonly limit: RateLimit;
  readonly strategy: Strategy;
  /** The most that can be available at once: the amount, or the burst of a token bucket. */
  readonly capacity: number;
  /** Token bucket: how many ticks a millisecond has. Chosen so that a token is a whole number of ticks. */
  readonly ticksPerMs: number;
  /** Token bucket: the time in which one token grows, in ticks. */
  readonly ticksPerToken: number;
  /** Names limit, strategy and burst in stored keys: `"10/3600000/fw"`. Holds no `:`, brace or blank. */
  readonly id: string;
}

/** What a strategy says about one hit or test. Every duration is counted from the instant of the decision. */
export interface Verdict {
  /** The cost fits (and, for a hit, was charged). */
  readonly allowed: boolean;
  /** Whole units that are left now; from 0 to the policy's capacity. */
  readonly remaining: number;
  /** Until more becomes available than now; 0 when nothing is used. */
  readonly resetAfterMs: Milliseconds;
  /** Until *this cost* fits, if nobody else spends: 0 when it does now, `Infinity` when it never can. */
  readonly retryAfterMs: Milliseconds;
  /** With `refundsSeen` what {@link Strategy.refund} needs to find this charge again. Means nothing when refused. */
  readonly receipt: number;
  /** Token bucket: the sum of refunds before this charge. Elsewhere 0. */
  readonly refundsSeen: number;
}

/** A charge that was made, to be given back. */
export type Receipt = Pick<Verdict, "receipt" | "refundsSeen">;

/** A verdict with the state to keep. */
export interface Transition<State extends object> extends Verdict {
  /** The state to store; `undefined` when there is nothing to remember. On a refusal the state as it was. */
  readonly state: State | undefined;
  /** From this instant on the state equals no state, and may be forgotten. */
  readonly expiresAt: StorageInstant;
}

/**
 * How a limit counts: a pure step from one state to the next. A storage runs it atomically.
 *
 * Promises: a refusal changes nothing; `test` agrees with `hit`; an allowed hit leaves `remaining` at 0 or
 * more; at `now + retryAfterMs` the same cost is allowed and a millisecond earlier it is not, if nothing else
 * happens; a state in the future of what the policy can produce (another server, a lowered limit) is clamped.
 *
 * The moving window keeps a log and updates it in place; storages must not rely on old states staying as
 * they were.
 */
export interface Strategy<State extends object = object> {
  readonly name: StrategyName | "block";

  /** Charges `cost` if it fits. */
  hit(state: State | undefined, policy: Policy, cost: number, now: StorageInstant): Transition<State>;

  /** Says what `hit` would say, except that `remaining` and `resetAfterMs` describe the state as it is. */
  test(state: State | undefined, policy: Policy, cost: number, now: StorageInstant): Verdict;

  /**
   * Takes back a charge, as far as it still counts. Never frees more than was charged, and frees nothing
   * that time has freed already. The state's expiry stays as it was.
   */
  refund(state: State, policy: Policy, cost: number, charge: Receipt, now: StorageInstant): State | undefined;

  /** How full the state is, from 0 to 1: what would be forgiven if it were forgotten. */
  debt(state: State, policy: Policy, now: StorageInstant): number;
}
