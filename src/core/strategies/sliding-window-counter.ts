import type { Milliseconds } from "../clock.js";
import type { Policy, StorageInstant, Strategy, Transition, Verdict } from "../strategy.js";
import { CountedTransition, CountedVerdict } from "../verdict.js";

/** What was spent in the window that opened then, and in the one before it. */
export interface SlidingWindowState {
  readonly previous: number;
  readonly current: number;
  readonly startsAt: StorageInstant;
}

/**
 * Two counts: the previous window weighs as much as of it still lies within one window's length from now.
 *
 * Smoother than a fixed window at the same cost, but an estimate: who spends everything at the very end of a
 * window and again as it fades gets up to 1.99 times the amount within one window's length. Windows follow
 * each other from the first hit on. Sums are kept as `units * milliseconds`, whole numbers.
 */
export const slidingWindowCounter: Strategy<SlidingWindowState> = {
  name: "sliding-window-counter",

  hit(state, policy, cost, now): Transition<SlidingWindowState> {
    const live = rotate(state, policy, now);
    const before = judge(live, policy, cost, now);
    if (!before.allowed) return new CountedTransition(before, kept(live), expiry(live, policy));
    const charged = { previous: live.previous, current: live.current + cost, startsAt: live.startsAt };
    const { remaining, resetAfterMs } = judge(charged, policy, 0, now);
    const after = new CountedVerdict(true, remaining, resetAfterMs, 0, live.startsAt, 0);
    return new CountedTransition(after, kept(charged), expiry(charged, policy));
  },

  test(state, policy, cost, now): Verdict {
    return judge(rotate(state, policy, now), policy, cost, now);
  },

  /** The receipt is the start of the window that was charged; it may have become the previous one since. */
  refund(state, policy, cost, charge) {
    if (state.startsAt === charge.receipt) {
      return kept({ ...state, current: Math.max(0, state.current - cost) });
    }
    if (state.startsAt === charge.receipt + policy.limit.windowMs) {
      return kept({ ...state, previous: Math.max(0, state.previous - cost) });
    }
    return state;
  },

  debt(state, policy, now) {
    const live = rotate(state, policy, now);
    return Math.min(1, spentUnitMs(live, policy, now) / (policy.limit.amount * policy.limit.windowMs));
  },
};

/** The state as of now: windows that ended have moved back, or are forgotten. */
function rotate(
  state: SlidingWindowState | undefined,
  policy: Policy,
  now: StorageInstant,
): SlidingWindowState {
  const { windowMs } = policy.limit;
  if (state === undefined || now >= state.startsAt + 2 * windowMs) {
    return { previous: 0, current: 0, startsAt: now };
  }
  if (state.startsAt > now) return { ...state, startsAt: now };
  if (now < state.startsAt + windowMs) return state;
  const rotated = { previous: state.current, current: 0, startsAt: state.startsAt + windowMs };
  return rotated.previous === 0 ? { previous: 0, current: 0, startsAt: now } : rotated;
}

function spentUnitMs(live: SlidingWindowState, policy: Policy, now: StorageInstant): number {
  const { windowMs } = policy.limit;
  return live.previous * (live.startsAt + windowMs - now) + live.current * windowMs;
}

function judge(live: SlidingWindowState, policy: Policy, cost: number, now: StorageInstant): Verdict {
  const { amount, windowMs } = policy.limit;
  const freeUnitMs = Math.max(0, amount * windowMs - spentUnitMs(live, policy, now));
  const remaining = Math.floor(freeUnitMs / windowMs);
  const allowed = cost * windowMs <= freeUnitMs && amount > 0;
  const resetAfterMs = remaining === amount ? 0 : waitFor(remaining + 1, live, policy, now);
  const retryAfterMs = allowed ? 0 : waitFor(cost, live, policy, now);
  return new CountedVerdict(allowed, remaining, resetAfterMs, retryAfterMs, live.startsAt, 0);
}

/** How long until so many units are free, if nobody spends: first the previous window fades, then the current one. */
function waitFor(units: number, live: SlidingWindowState, policy: Policy, now: StorageInstant): Milliseconds {
  const { amount, windowMs } = policy.limit;
  if (units > amount || amount === 0) return Number.POSITIVE_INFINITY;
  const mayWeigh = amount - units;
  const endsAt = live.startsAt + windowMs;
  if (live.current <= mayWeigh) {
    return endsAt - fadeMs(mayWeigh - live.current, live.previous, windowMs) - now;
  }
  return endsAt + windowMs - fadeMs(mayWeigh, live.current, windowMs) - now;
}

/** How long before its end a window of `count` weighs at most `units`. */
function fadeMs(units: number, count: number, windowMs: Milliseconds): Milliseconds {
  return count <= units ? windowMs : Math.floor((units * windowMs) / count);
}

function kept(state: SlidingWindowState): SlidingWindowState | undefined {
  return state.previous === 0 && state.current === 0 ? undefined : state;
}

/** The current window still weighs during the one after it. */
function expiry(state: SlidingWindowState, policy: Policy): StorageInstant {
  return state.startsAt + (state.current === 0 ? 1 : 2) * policy.limit.windowMs;
}
