import type { Policy, StorageInstant, Strategy, Transition, Verdict } from "../strategy.js";

/** Refused until then. */
export interface BlockState {
  readonly until: StorageInstant;
}

/**
 * Not a way to count but a bar: a hit of cost `n` refuses everything for the next `n` milliseconds.
 *
 * It lets a block ride in the same storage trip as the limits that cause it. A running block is never
 * shortened. `remaining` is 1 when nothing is blocked, else 0.
 */
export const blockStrategy: Strategy<BlockState> = {
  name: "block",

  hit(state, policy, cost, now): Transition<BlockState> {
    const until = Math.max(state?.until ?? now, now + cost);
    return {
      ...this.test({ until }, policy, cost, now),
      allowed: true,
      state: { until },
      expiresAt: until,
      receipt: until,
      refundsSeen: 0,
    };
  },

  test(state: BlockState | undefined, _policy: Policy, _cost: number, now: StorageInstant): Verdict {
    const leftMs = Math.max(0, (state?.until ?? now) - now);
    return {
      allowed: leftMs === 0,
      remaining: leftMs === 0 ? 1 : 0,
      resetAfterMs: leftMs,
      retryAfterMs: leftMs,
      receipt: 0,
      refundsSeen: 0,
    };
  },

  /** Lifts the block if it is still the one that this hit made. */
  refund(state, _policy, _cost, charge) {
    return state.until === charge.receipt ? undefined : state;
  },

  debt: (state, _policy, now) => (state.until > now ? 1 : 0),
};
