import type { Policy, StorageInstant, Verdict } from "../core/strategy.js";

/** A verdict by itself, always of the same shape: what reads verdicts stays fast. */
export function verdictOf(verdict: Verdict, allowed: boolean = verdict.allowed): Verdict {
  return {
    allowed,
    remaining: verdict.remaining,
    resetAfterMs: verdict.resetAfterMs,
    retryAfterMs: verdict.retryAfterMs,
    receipt: verdict.receipt,
    refundsSeen: verdict.refundsSeen,
  };
}

/** What the fixed window says where there is room: `count` is spent of a window that ends then. */
export function windowHasRoom(
  policy: Policy,
  count: number,
  endsAt: StorageInstant,
  now: StorageInstant,
): Verdict {
  return {
    allowed: true,
    remaining: policy.limit.amount - count,
    resetAfterMs: count === 0 ? 0 : endsAt - now,
    retryAfterMs: 0,
    receipt: endsAt,
    refundsSeen: 0,
  };
}

/** What the fixed window says where the cost does not fit any more. */
export function windowRefuses(
  policy: Policy,
  count: number,
  endsAt: StorageInstant,
  cost: number,
  now: StorageInstant,
): Verdict {
  const { amount } = policy.limit;
  const leftMs = endsAt - now;
  return {
    allowed: false,
    remaining: amount - count,
    resetAfterMs: count === 0 ? 0 : leftMs,
    retryAfterMs: cost > amount || amount === 0 ? Number.POSITIVE_INFINITY : leftMs,
    receipt: 0,
    refundsSeen: 0,
  };
}
