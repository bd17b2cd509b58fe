import type { Claim } from "../core/storage.js";
import { fixedWindow } from "../core/strategies/fixed-window.js";
import { slidingWindowCounter } from "../core/strategies/sliding-window-counter.js";
import { tokenBucket } from "../core/strategies/token-bucket.js";
import type { Verdict } from "../core/strategy.js";
import { CountedVerdict } from "../core/verdict.js";
import type { PlainStrategy } from "./scripts.js";
import type { ServerInstant } from "./wire.js";

/** What an entry of a stored value holds after a hit, and what became of that hit. */
export interface PlainAnswer {
  readonly endsAt: ServerInstant;
  readonly first: number;
  readonly second: number;
  readonly now: ServerInstant;
  /** Everything in the claim's list had room, and was charged. */
  readonly isCharged: boolean;
}

/** The verdict that follows from an entry. */
export type PlainReader = (claim: Claim, answer: PlainAnswer) => Verdict;

/** By strategy: its state is in the entry, and its own step says what follows. */
export const PLAIN_READERS: Readonly<Record<PlainStrategy, PlainReader>> = {
  "fixed-window": fixedWindowVerdict,
  "sliding-window-counter": slidingWindowVerdict,
  "token-bucket": tokenBucketVerdict,
};

function fixedWindowVerdict({ policy, cost }: Claim, answer: PlainAnswer): Verdict {
  const { endsAt, first: count, now, isCharged } = answer;
  return fixedWindow.test({ count, endsAt }, policy, isCharged ? 0 : cost, now);
}

/** It ends with its last window that weighs: the current one, or if that is empty the previous one. */
function slidingWindowVerdict({ policy, cost }: Claim, answer: PlainAnswer): Verdict {
  const { endsAt, first: previous, second: current, now, isCharged } = answer;
  const startsAt = endsAt - (current === 0 ? 1 : 2) * policy.limit.windowMs;
  return slidingWindowCounter.test({ previous, current, startsAt }, policy, isCharged ? 0 : cost, now);
}

function tokenBucketVerdict({ policy, cost }: Claim, answer: PlainAnswer): Verdict {
  const { endsAt, first: fullAt, second: refunded, now, isCharged } = answer;
  const state = { fullAt, refunded, keepUntil: endsAt * policy.ticksPerMs };
  const verdict = tokenBucket.test(state, policy, isCharged ? 0 : cost, now);
  if (!isCharged) return verdict;
  return new CountedVerdict(true, verdict.remaining, verdict.resetAfterMs, 0, fullAt, refunded);
}
