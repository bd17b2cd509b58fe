import type { StorageInstant, Transition, Verdict } from "../strategy.js";

/**
 * A verdict with the state to keep.
 *
 * Field by field: a spread with fields added behind it costs microseconds, and a client that is refused is one
 * that hits often.
 */
export function withState<State extends object>(
  verdict: Verdict,
  state: State | undefined,
  expiresAt: StorageInstant,
): Transition<State> {
  return {
    allowed: verdict.allowed,
    remaining: verdict.remaining,
    resetAfterMs: verdict.resetAfterMs,
    retryAfterMs: verdict.retryAfterMs,
    receipt: verdict.receipt,
    refundsSeen: verdict.refundsSeen,
    state,
    expiresAt,
  };
}
