import type { Claim } from "../core/storage.js";
import { slidingWindowCounter } from "../core/strategies/sliding-window-counter.js";
import type { Policy, Verdict } from "../core/strategy.js";
import { CountedVerdict } from "../core/verdict.js";
import type { PlainStrategy } from "./scripts.js";
import type { ServerInstant } from "./wire.js";

/** The reply, and how far it was read: one object for all claims, as there are many. */
export interface PlainAnswer {
  readonly numbers: readonly unknown[];
  readonly now: ServerInstant;
  /** Where the claim's numbers start. */
  at: number;
  /** Everything in the claim's list had room, and was charged. */
  isCharged: boolean;
}

/** How a strategy's part of the reply reads. The first of its numbers is below 0 when the claim has no room. */
export interface PlainReader {
  /** How many numbers it is. */
  readonly numbers: number;
  read(claim: Claim, answer: PlainAnswer): Verdict;
}

/** By strategy: what its plain hits are answered with. */
export const PLAIN_READERS: Readonly<Record<PlainStrategy, PlainReader>> = {
  "fixed-window": { numbers: 2, read: fixedWindowVerdict },
  "sliding-window-counter": { numbers: 3, read: slidingWindowVerdict },
  "token-bucket": { numbers: 2, read: tokenBucketVerdict },
};

/** From the count, or `-count - 1` of a refusal, and the window's time left. */
function fixedWindowVerdict({ policy, cost }: Claim, { numbers, at, now }: PlainAnswer): Verdict {
  const { amount } = policy.limit;
  const said = Number(numbers[at]);
  const leftMs = Number(numbers[at + 1]);
  const allowed = said >= 0;
  const count = allowed ? said : -said - 1;
  const canEverFit = cost <= amount && amount > 0;
  // A count above the amount was written for another limit.
  const remaining = Math.max(0, amount - count);
  const resetAfterMs = count === 0 ? 0 : leftMs;
  const retryAfterMs = allowed ? 0 : canEverFit ? leftMs : Number.POSITIVE_INFINITY;
  return new CountedVerdict(allowed, remaining, resetAfterMs, retryAfterMs, allowed ? now + leftMs : 0, 0);
}

/** From the previous count, or `-previous - 1` of a refusal, the current one, and its window's age. */
function slidingWindowVerdict({ policy, cost }: Claim, answer: PlainAnswer): Verdict {
  const { numbers, at, now, isCharged } = answer;
  const said = Number(numbers[at]);
  const allowed = said >= 0;
  const state = {
    previous: allowed ? said : -said - 1,
    current: Number(numbers[at + 1]),
    startsAt: now - Number(numbers[at + 2]),
  };
  const verdict = slidingWindowCounter.test(state, policy, isCharged ? 0 : cost, now);
  if (!isCharged) return verdict;
  const { remaining, resetAfterMs, receipt, refundsSeen } = verdict;
  return new CountedVerdict(true, remaining, resetAfterMs, 0, receipt, refundsSeen);
}

/** From the ticks until the bucket is full, or `-ticks - 1` of a refusal, and the ticks that were refunded. */
function tokenBucketVerdict({ policy, cost }: Claim, answer: PlainAnswer): Verdict {
  const { numbers, at, now, isCharged } = answer;
  const { limit, capacity, ticksPerMs, ticksPerToken } = policy;
  const said = Number(numbers[at]);
  const allowed = said >= 0;
  const owed = allowed ? said : -said - 1;
  const available = capacity * ticksPerToken - owed;
  const tokens = Math.floor(available / ticksPerToken);
  return new CountedVerdict(
    allowed,
    limit.amount === 0 ? 0 : tokens,
    tokens === capacity ? 0 : untilTokensMs(policy, tokens + 1, available),
    allowed ? 0 : untilTokensMs(policy, cost, available),
    isCharged ? now * ticksPerMs + owed : 0,
    isCharged ? Number(numbers[at + 1]) : 0,
  );
}

/** Rounded up: at that millisecond the tokens are surely there. */
function untilTokensMs(policy: Policy, tokens: number, available: number): number {
  const { limit, capacity, ticksPerMs, ticksPerToken } = policy;
  if (tokens > capacity || limit.amount === 0) return Number.POSITIVE_INFINITY;
  return Math.ceil((tokens * ticksPerToken - available) / ticksPerMs);
}
