import type { Milliseconds } from "../clock.js";
import type { Policy, StorageInstant, Strategy, Transition, Verdict } from "../strategy.js";
import { CountedTransition, CountedVerdict } from "../verdict.js";

/** Ticks since the start of the storage's time line; the policy says how many make a millisecond. */
type Ticks = number;

/**
 * The theoretical arrival time (TAT): when the bucket will be full again.
 *
 * Each token taken moves it one token's growing time into the future; the bucket is empty when it lies
 * `capacity` tokens ahead of now.
 */
export interface TokenBucketState {
  readonly fullAt: Ticks;
  /** Sum of all refunds since this state was made: they moved everything behind them forward. */
  readonly refunded: Ticks;
  /** Until then a charge may come back, so the state is kept: the latest `fullAt` there was. */
  readonly keepUntil: Ticks;
}

/**
 * A bucket of `burst` tokens that refills steadily, as the generic cell rate algorithm: one instant of state.
 *
 * Within one window up to `burst` plus the amount can pass. After a pause the whole burst is there.
 *
 * Source: ITU-T I.371, the virtual scheduling form of GCRA, with increment `ticksPerToken` and limit
 * `(capacity - 1) * ticksPerToken`.
 */
export const tokenBucket: Strategy<TokenBucketState> = {
  name: "token-bucket",

  hit(state, policy, cost, now): Transition<TokenBucketState> {
    const live = liveBucket(state, policy, now);
    const before = judge(live, policy, cost, now);
    if (!before.allowed) {
      return new CountedTransition(before, kept(live, policy, now), toMs(live.keepUntil, policy));
    }
    const fullAt = live.fullAt + cost * policy.ticksPerToken;
    const charged = { fullAt, refunded: live.refunded, keepUntil: Math.max(live.keepUntil, fullAt) };
    const { remaining, resetAfterMs } = judge(charged, policy, 0, now);
    const after = new CountedVerdict(true, remaining, resetAfterMs, 0, fullAt, live.refunded);
    return new CountedTransition(after, kept(charged, policy, now), toMs(charged.keepUntil, policy));
  },

  test(state, policy, cost, now): Verdict {
    return judge(liveBucket(state, policy, now), policy, cost, now);
  },

  /**
   * Gives back what of the charge has not leaked yet.
   *
   * The charge stands in the queue up to its receipt, the instant at which its own tokens would have grown
   * back, less what refunds since then have moved it forward. Taking back more would mint tokens.
   */
  refund(state, policy, cost, charge, now) {
    const movedForward = Math.max(0, state.refunded - charge.refundsSeen);
    const notYetGrown = charge.receipt - movedForward - now * policy.ticksPerMs;
    const returned = Math.max(0, Math.min(cost * policy.ticksPerToken, notYetGrown));
    return { ...state, fullAt: state.fullAt - returned, refunded: state.refunded + returned };
  },

  debt(state, policy, now) {
    const live = liveBucket(state, policy, now);
    return (live.fullAt - now * policy.ticksPerMs) / (policy.capacity * policy.ticksPerToken);
  },
};

/** The bucket as of now. One that is emptier than empty was set by another clock or a larger burst. */
function liveBucket(
  state: TokenBucketState | undefined,
  policy: Policy,
  now: StorageInstant,
): TokenBucketState {
  const nowTicks = now * policy.ticksPerMs;
  if (state === undefined || state.keepUntil <= nowTicks) {
    return { fullAt: nowTicks, refunded: 0, keepUntil: nowTicks };
  }
  const emptyBucket = nowTicks + policy.capacity * policy.ticksPerToken;
  return {
    fullAt: Math.min(Math.max(state.fullAt, nowTicks), emptyBucket),
    refunded: state.refunded,
    keepUntil: Math.min(state.keepUntil, emptyBucket),
  };
}

function judge(live: TokenBucketState, policy: Policy, cost: number, now: StorageInstant): Verdict {
  const { capacity, ticksPerToken } = policy;
  const availableTicks = capacity * ticksPerToken - (live.fullAt - now * policy.ticksPerMs);
  const remaining = Math.floor(availableTicks / ticksPerToken);
  const allowed = cost * ticksPerToken <= availableTicks && policy.limit.amount > 0;
  const left = policy.limit.amount === 0 ? 0 : remaining;
  const resetAfterMs = remaining === capacity ? 0 : waitFor(remaining + 1, availableTicks, policy);
  const retryAfterMs = allowed ? 0 : waitFor(cost, availableTicks, policy);
  return new CountedVerdict(allowed, left, resetAfterMs, retryAfterMs, 0, 0);
}

function waitFor(tokens: number, availableTicks: Ticks, policy: Policy): Milliseconds {
  if (tokens > policy.capacity || policy.limit.amount === 0) return Number.POSITIVE_INFINITY;
  return toMs(tokens * policy.ticksPerToken - availableTicks, policy);
}

/** Rounded up: at that millisecond it is surely so. */
function toMs(ticks: Ticks, policy: Policy): Milliseconds {
  return Math.ceil(ticks / policy.ticksPerMs);
}

function kept(state: TokenBucketState, policy: Policy, now: StorageInstant): TokenBucketState | undefined {
  return state.keepUntil <= now * policy.ticksPerMs ? undefined : state;
}
