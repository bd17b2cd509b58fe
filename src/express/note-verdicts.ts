import { verdictAt } from "../core/decision.js";
import type { Verdict } from "../core/strategy.js";
import { joined } from "./exact-lists.js";
import type { LimitedRequest } from "./limited-request.js";
import type { RequestClaim } from "./request-state.js";

/** Adds a decided list to what is known of the request. True when something refused. */
export function noteVerdicts(
  { state }: LimitedRequest,
  claims: readonly RequestClaim[],
  verdicts: readonly Verdict[],
  isAllOrNothing: boolean,
): boolean {
  const isRefused = hasRefusal(verdicts);
  const isNothingCharged = isRefused && (isAllOrNothing || isRefusedByMeta(claims, verdicts));
  for (let i = 0; i < claims.length; i++) {
    const claim = claims[i];
    if (claim === undefined) continue;
    const verdict = verdictAt(verdicts, i);
    claim.verdict = isRefused ? barred(claim, verdict, claims, verdicts) : verdict;
    claim.verdicts = verdicts;
    claim.isCharged = claim.role === "limit" && verdict.allowed && !isNothingCharged;
  }
  state.decided = joined(state.decided, claims);
  return isRefused;
}

/**
 * A verdict as it is for the client: a block, or a limit on breaches that is used up, bars a limit for longer than
 * the limit does itself.
 */
function barred(
  limit: RequestClaim,
  verdict: Verdict,
  claims: readonly RequestClaim[],
  verdicts: readonly Verdict[],
): Verdict {
  if (limit.role === "meta") return verdict;
  const isBar = ({ role, parent }: RequestClaim) =>
    role === "meta" && (parent === limit || (parent === undefined && !verdict.allowed));
  const waits = claims.map((claim, i) => (isBar(claim) ? (verdicts[i]?.retryAfterMs ?? 0) : 0));
  const waitMs = Math.max(...waits);
  if (waitMs <= verdict.retryAfterMs) return verdict;
  return { ...verdict, allowed: false, remaining: 0, resetAfterMs: waitMs, retryAfterMs: waitMs };
}

/** A limit on breaches, or a block, comes before all others: nothing else was charged then. */
function isRefusedByMeta(claims: readonly RequestClaim[], verdicts: readonly Verdict[]): boolean {
  return claims.some(({ role }, i) => role === "meta" && verdicts[i]?.allowed === false);
}

function hasRefusal(verdicts: readonly Verdict[]): boolean {
  for (const verdict of verdicts) if (!verdict.allowed) return true;
  return false;
}
