import type { EpochMilliseconds } from "../core/clock.js";
import type { LimitDecision } from "../core/decision.js";
import { limitDecision } from "../core/decision.js";
import type { Verdict } from "../core/strategy.js";
import type { BoundLimit } from "./bound-limit.js";
import type { LimitedRequest } from "./limited-request.js";
import { policyName, policyNames } from "./policy-names.js";
import { RateLimitExceeded } from "./rate-limit-exceeded.js";
import { policyToTell, type RequestClaim } from "./request-state.js";
import { allShown } from "./shown-limits.js";

/** A refusal, and the limit with the longest wait, whose handler and message it gets. */
export interface Refused {
  readonly error: RateLimitExceeded;
  readonly bound: BoundLimit | undefined;
}

/** What came of a phase: nothing, or a refusal. */
export type Outcome = Refused | undefined;

/**
 * The refusal of a phase: which limits refused, and the longest wait of all.
 *
 * A meta limit that was charged by this very breach and has no room left makes the wait longer, and so does a
 * block: the first refusal tells the whole truth.
 */
export function toRefusal(
  { core, req, state }: Pick<LimitedRequest, "core" | "req" | "state">,
  verdicts: readonly Verdict[],
): Refused {
  const now = core.clock.now();
  const decided = state.decided.filter((claim) => claim.verdicts === verdicts);
  const metaRefusals = decided.filter(({ role, verdict }) => role === "meta" && !verdict.allowed);
  const isMeta = metaRefusals.length > 0;
  const refused = isMeta ? metaRefusals : decided.filter(({ verdict }) => !verdict.allowed);
  const limits = refused.map((claim) => publicDecision(claim, now));
  const longest = limits.reduce((a, b) => (b.retryAfterMs > a.retryAfterMs ? b : a));
  const charged = decided.filter(({ role, verdict }) => role === "meta" && verdict.allowed);
  const retryAfterMs = Math.max(longest.retryAfterMs, ...charged.map(({ verdict }) => verdict.retryAfterMs));
  const error = new RateLimitExceeded({
    decision: {
      ...longest,
      limits: decided.filter(isAboutRequests).map((claim) => publicDecision(claim, now)),
    },
    limits,
    retryAfterMs,
    policies: namesOf(refused, req),
    isMeta,
  });
  return { error, bound: refused[limits.indexOf(longest)]?.bound };
}

/** The names by which headers call these limits. */
function namesOf(refused: readonly RequestClaim[], req: object): string[] {
  const shown = allShown(req);
  const names = policyNames(shown);
  return refused.map(
    (claim) => names[shown.indexOf(claim)] ?? policyName(policyToTell(claim).limit, claim.bound.options.name),
  );
}

/** A decided claim in the words of the public API. A block is told as the limit that it follows. */
export function publicDecision(claim: RequestClaim, now: EpochMilliseconds): LimitDecision {
  const { verdict } = claim;
  const { limit, capacity } = policyToTell(claim);
  return { ...limitDecision(claim, verdict, now), limit, used: capacity - verdict.remaining };
}

function isAboutRequests({ role, verdict }: RequestClaim): boolean {
  return role === "limit" || !verdict.allowed;
}
