import type { Policy, StorageInstant, Verdict } from "../core/strategy.js";
import { CountedVerdict } from "../core/verdict.js";

/** A strategy's verdict without what else the strategy returned. */
export function verdictOf(verdict: Verdict, allowed: boolean = verdict.allowed): Verdict {
  const { remaining, resetAfterMs, retryAfterMs, receipt, refundsSeen } = verdict;
  return new CountedVerdict(allowed, remaining, resetAfterMs, retryAfterMs, receipt, refundsSeen);
}

/** What the fixed window says where there is room: `count` is spent of a window that ends then. */
export function windowHasRoom(
  policy: Policy,
  count: number,
  endsAt: StorageInstant,
  now: StorageInstant,
): Verdict {
  const resetAfterMs = count === 0 ? 0 : endsAt - now;
  return new CountedVerdict(true, policy.limit.amount - count, resetAfterMs, 0, endsAt, 0);
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
  const retryAfterMs = cost > amount || amount === 0 ? Number.POSITIVE_INFINITY : leftMs;
  return new CountedVerdict(false, amount - count, count === 0 ? 0 : leftMs, retryAfterMs, 0, 0);
}
