import type { Policy, StorageInstant, Strategy, Transition, Verdict } from "../strategy.js";
import { CountedTransition, CountedVerdict } from "../verdict.js";

/** How much was spent in the window that ends then. */
export interface FixedWindowState {
  readonly count: number;
  readonly endsAt: StorageInstant;
}

/**
 * Counts in a window that opens at the first hit of the key, so that not all keys start anew at once.
 *
 * Cheapest and easiest to explain. Around the edge of two windows up to twice the amount can pass within
 * one window's length.
 */
export const fixedWindow: Strategy<FixedWindowState> = {
  name: "fixed-window",

  hit(state, policy, cost, now): Transition<FixedWindowState> {
    const { amount } = policy.limit;
    const live = liveWindow(state, policy, now);
    const count = live.count + cost;
    if (count > amount || amount === 0) {
      const kept = live.count === 0 ? undefined : live;
      return new CountedTransition(refusal(live, policy, cost, now), kept, live.endsAt);
    }
    const resetAfterMs = count === 0 ? 0 : live.endsAt - now;
    const verdict = new CountedVerdict(true, amount - count, resetAfterMs, 0, live.endsAt, 0);
    const next = count === 0 ? undefined : { count, endsAt: live.endsAt };
    return new CountedTransition(verdict, next, live.endsAt);
  },

  test(state, policy, cost, now): Verdict {
    const { amount } = policy.limit;
    const live = liveWindow(state, policy, now);
    if (live.count + cost > amount || amount === 0) return refusal(live, policy, cost, now);
    const resetAfterMs = live.count === 0 ? 0 : live.endsAt - now;
    return new CountedVerdict(true, amount - live.count, resetAfterMs, 0, live.endsAt, 0);
  },

  /** The receipt is the end of the window that was charged: a later window owes nothing. */
  refund(state, _policy, cost, charge) {
    if (state.endsAt !== charge.receipt) return state;
    return state.count > cost ? { count: state.count - cost, endsAt: state.endsAt } : undefined;
  },

  debt: (state, policy, now) => (now < state.endsAt ? state.count / policy.limit.amount : 0),
};

/** The window that is open now; a fresh one when there is none. One that ends too late was set by another clock. */
function liveWindow(
  state: FixedWindowState | undefined,
  policy: Policy,
  now: StorageInstant,
): FixedWindowState {
  const latestEnd = now + policy.limit.windowMs;
  if (state === undefined || now >= state.endsAt) return { count: 0, endsAt: latestEnd };
  return state.endsAt <= latestEnd ? state : { count: state.count, endsAt: latestEnd };
}

function refusal(live: FixedWindowState, policy: Policy, cost: number, now: StorageInstant): Verdict {
  const { amount } = policy.limit;
  const leftMs = live.endsAt - now;
  const resetAfterMs = live.count === 0 ? 0 : leftMs;
  const retryAfterMs = cost > amount || amount === 0 ? Number.POSITIVE_INFINITY : leftMs;
  return new CountedVerdict(false, amount - live.count, resetAfterMs, retryAfterMs, 0, 0);
}
