import type { Policy, StorageInstant, Strategy, Transition, Verdict } from "../strategy.js";
import { CountedTransition, CountedVerdict } from "../verdict.js";

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
    const { remaining, resetAfterMs, retryAfterMs } = this.test({ until }, policy, cost, now);
    const verdict = new CountedVerdict(true, remaining, resetAfterMs, retryAfterMs, until, 0);
    return new CountedTransition(verdict, { until }, until);
  },

  test(state: BlockState | undefined, _policy: Policy, _cost: number, now: StorageInstant): Verdict {
    const leftMs = Math.max(0, (state?.until ?? now) - now);
    return new CountedVerdict(leftMs === 0, leftMs === 0 ? 1 : 0, leftMs, leftMs, 0, 0);
  },

  /** Lifts the block if it is still the one that this hit made. */
  refund(state, _policy, _cost, charge) {
    return state.until === charge.receipt ? undefined : state;
  },

  debt: (state, _policy, now) => (state.until > now ? 1 : 0),
};
