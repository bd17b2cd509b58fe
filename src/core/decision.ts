import type { EpochMilliseconds, Milliseconds } from "./clock.js";
import { StorageError } from "./errors.js";
import type { RateLimit } from "./rate-limit.js";
import type { Claim } from "./storage.js";
import type { Policy, Verdict } from "./strategy.js";

/** A claim that remembers for whom and where it is made, in the words of the one who asked. */
export interface NamedClaim extends Claim {
  /** Who is counted, as the key function returned it. */
  readonly who: string;
  /** What is counted: `"/users/:id"`, `"GET /slow"`, a shared limit's scope. */
  readonly scope: string;
}

/** What was decided about one limit. */
export interface LimitDecision {
  readonly limit: RateLimit;
  /** Who was counted. */
  readonly key: string;
  /** What was counted: a route's pattern, a shared scope. */
  readonly scope: string;
  readonly allowed: boolean;
  /** Units spent: the capacity less `remaining`. For 10 per hour after 4 hits: 4. */
  readonly used: number;
  /** Whole units left; never negative, never above the amount (or burst). For 10 per hour after 4 hits: 6. */
  readonly remaining: number;
  /** The instant at which more becomes available than now; now, when nothing is used. */
  readonly resetAt: EpochMilliseconds;
  /** How long until this cost fits, if nobody else spends: 0 when allowed, `Infinity` when it never can. */
  readonly retryAfterMs: Milliseconds;
}

/** What was decided about a list of limits. The own fields are those of the limit that headers would show. */
export interface Decision extends LimitDecision {
  /** Every limit's own decision, in the order in which they were given. */
  readonly limits: readonly LimitDecision[];
}

/** One limit's decision in the words of the public API. */
export function limitDecision(claim: NamedClaim, verdict: Verdict, now: EpochMilliseconds): LimitDecision {
  const { limit, capacity } = claim.policy;
  return {
    limit,
    key: claim.who,
    scope: claim.scope,
    allowed: verdict.allowed,
    used: capacity - verdict.remaining,
    remaining: verdict.remaining,
    resetAt: now + verdict.resetAfterMs,
    retryAfterMs: verdict.allowed ? 0 : verdict.retryAfterMs,
  };
}

/**
 * Should headers show `a` rather than `b`?
 *
 * Among refusals the one with the longest wait; a refusal rather than a pass; otherwise the smallest window,
 * then the least remaining. `b` on a tie.
 */
export function isShownBefore(aPolicy: Policy, a: Verdict, bPolicy: Policy, b: Verdict): boolean {
  if (a.allowed !== b.allowed) return b.allowed;
  if (!a.allowed) return a.retryAfterMs > b.retryAfterMs;
  const byWindow = aPolicy.limit.windowMs - bPolicy.limit.windowMs;
  return byWindow < 0 || (byWindow === 0 && a.remaining < b.remaining);
}

/** The index of the verdict that headers show; -1 for an empty list. */
export function shownIndex(claims: readonly Claim[], verdicts: readonly Verdict[]): number {
  // Never looks at index -1: an element that cannot be there is looked up as a property, which is slow.
  let shown = claims.length === 0 ? -1 : 0;
  for (let i = 1; i < claims.length; i++) {
    const claim = claims[i];
    const verdict = verdicts[i];
    const shownClaim = claims[shown];
    const shownVerdict = verdicts[shown];
    if (claim === undefined || verdict === undefined) continue;
    if (shownClaim === undefined || shownVerdict === undefined) shown = i;
    else if (isShownBefore(claim.policy, verdict, shownClaim.policy, shownVerdict)) shown = i;
  }
  return shown;
}

/** The verdict on the claim at an index. Throws `StorageError` when a storage gave none. */
export function verdictAt(verdicts: readonly Verdict[], index: number): Verdict {
  const verdict = verdicts[index];
  if (verdict === undefined) throw new StorageError("The storage gave fewer verdicts than it got claims.");
  return verdict;
}
