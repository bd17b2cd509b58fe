import type { EpochMilliseconds, Milliseconds } from "./clock.js";
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
  let shown = -1;
  const count = Math.min(claims.length, verdicts.length);
  // Hot: plain indexes, as taking pairs apart makes a list for each.
  for (let i = 0; i < count; i++) {
    if (shown < 0) shown = i;
    else if (isClaimShownBefore(claims, verdicts, i, shown)) shown = i;
  }
  return shown;
}

function isClaimShownBefore(
  claims: readonly Claim[],
  verdicts: readonly Verdict[],
  i: number,
  j: number,
): boolean {
  const a = verdicts[i] as Verdict;
  const b = verdicts[j] as Verdict;
  return isShownBefore((claims[i] as Claim).policy, a, (claims[j] as Claim).policy, b);
}
