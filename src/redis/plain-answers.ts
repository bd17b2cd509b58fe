import type { Claim } from "../core/storage.js";
import { slidingWindowCounter } from "../core/strategies/sliding-window-counter.js";
import type { Policy, Verdict } from "../core/strategy.js";
import type { PlainStrategy } from "./scripts.js";
import type { ServerInstant } from "./wire.js";

/** A claim's part of the reply, and when it was made. */
export interface PlainAnswer {
  readonly numbers: readonly unknown[];
  /** Where the claim's numbers start. */
  readonly at: number;
  readonly now: ServerInstant;
  /** Everything in the list had room, and was charged. */
  readonly isCharged: boolean;
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

/** From `remaining`, or `-remaining - 1` of a refusal, and the window's time left. */
function fixedWindowVerdict({ policy, cost }: Claim, { numbers, at, now }: PlainAnswer): Verdict {
  const { amount } = policy.limit;
  const said = Number(numbers[at]);
  const leftMs = Number(numbers[at + 1]);
  const allowed = said >= 0;
  const remaining = allowed ? said : -said - 1;
  const canEverFit = cost <= amount && amount > 0;
  return {
    allowed,
    remaining,
    resetAfterMs: remaining === amount ? 0 : leftMs,
    retryAfterMs: allowed ? 0 : canEverFit ? leftMs : Number.POSITIVE_INFINITY,
    receipt: allowed ? now + leftMs : 0,
    refundsSeen: 0,
  };
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
  return isCharged ? { ...verdict, allowed: true, retryAfterMs: 0 } : verdict;
}

/** From the ticks that are available, or `-available - 1` of a refusal, and the ticks that were refunded. */
function tokenBucketVerdict({ policy, cost }: Claim, answer: PlainAnswer): Verdict {
  const { numbers, at, now, isCharged } = answer;
  const { limit, capacity, ticksPerMs, ticksPerToken } = policy;
  const said = Number(numbers[at]);
  const allowed = said >= 0;
  const available = allowed ? said : -said - 1;
  const tokens = Math.floor(available / ticksPerToken);
  return {
    allowed,
    remaining: limit.amount === 0 ? 0 : tokens,
    resetAfterMs: tokens === capacity ? 0 : untilTokensMs(policy, tokens + 1, available),
    retryAfterMs: allowed ? 0 : untilTokensMs(policy, cost, available),
    receipt: isCharged ? now * ticksPerMs + capacity * ticksPerToken - available : 0,
    refundsSeen: isCharged ? Number(numbers[at + 1]) : 0,
  };
}

/** Rounded up: at that millisecond the tokens are surely there. */
function untilTokensMs(policy: Policy, tokens: number, available: number): number {
  const { limit, capacity, ticksPerMs, ticksPerToken } = policy;
  if (tokens > capacity || limit.amount === 0) return Number.POSITIVE_INFINITY;
  return Math.ceil((tokens * ticksPerToken - available) / ticksPerMs);
}
