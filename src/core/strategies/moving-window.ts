import type { Milliseconds } from "../clock.js";
import type { Policy, StorageInstant, Strategy, Transition, Verdict } from "../strategy.js";
import { CountedTransition, CountedVerdict } from "../verdict.js";
import { InstantLog } from "./instant-log.js";

/**
 * Keeps the instants of all charges of the last window: exact, never more than the amount in any window.
 *
 * Costs memory: 16 bytes for each millisecond in which something was charged, at most one entry per unit of
 * the amount and key. A unit spent at `t` is free again at `t + windowMs`. The log is updated in place.
 */
export const movingWindow: Strategy<InstantLog> = {
  name: "moving-window",

  hit(state, policy, cost, now): Transition<InstantLog> {
    const log = state ?? new InstantLog();
    const before = this.test(log, policy, cost, now);
    if (!before.allowed) return new CountedTransition(before, kept(log), expiry(log, policy, now));
    if (cost > 0) log.append(now, cost);
    const remaining = policy.limit.amount - log.total;
    const after = new CountedVerdict(true, remaining, untilOldestLeaves(log, policy, now), 0, now, 0);
    return new CountedTransition(after, kept(log), expiry(log, policy, now));
  },

  test(state: InstantLog | undefined, policy: Policy, cost: number, now: StorageInstant): Verdict {
    const { amount, windowMs } = policy.limit;
    state?.dropUntil(now - windowMs);
    state?.clampTo(now);
    const used = state?.total ?? 0;
    const missing = used + cost - amount;
    const allowed = missing <= 0 && amount > 0;
    const resetAfterMs = untilOldestLeaves(state, policy, now);
    const retryAfterMs = allowed ? 0 : untilUnitsLeave(missing, state, policy, now);
    return new CountedVerdict(allowed, amount - used, resetAfterMs, retryAfterMs, now, 0);
  },

  /** The receipt is the instant of the charge. */
  refund(state, _policy, cost, charge) {
    state.remove(charge.receipt, cost);
    return kept(state);
  },

  debt(state, policy, now) {
    state.dropUntil(now - policy.limit.windowMs);
    return state.total / policy.limit.amount;
  },
};

function untilOldestLeaves(log: InstantLog | undefined, policy: Policy, now: StorageInstant): Milliseconds {
  return log?.oldest === undefined ? 0 : log.oldest + policy.limit.windowMs - now;
}

/** How long until the oldest `units` have left the window; never, when there are not that many. */
function untilUnitsLeave(
  units: number,
  log: InstantLog | undefined,
  policy: Policy,
  now: StorageInstant,
): Milliseconds {
  if (log === undefined || log.total === 0 || units > log.total) return Number.POSITIVE_INFINITY;
  return log.instantOfUnit(units) + policy.limit.windowMs - now;
}

function kept(log: InstantLog): InstantLog | undefined {
  return log.total === 0 ? undefined : log;
}

function expiry(log: InstantLog, policy: Policy, now: StorageInstant): StorageInstant {
  return (log.newest ?? now) + policy.limit.windowMs;
}
