import { toDecision } from "../core/rate-limiter.js";
import type { Verdict } from "../core/strategy.js";
import { type MaybePromise, whenReady } from "../core/when-ready.js";
import { giveBack } from "./give-back.js";
import type { LimitedRequest } from "./limited-request.js";
import { noteVerdicts } from "./note-verdicts.js";
import { observe } from "./observe.js";
import { giveBackWhenAnswered } from "./refund-after-response.js";
import { type Outcome, type Refused, toRefusal } from "./refusal.js";
import type { RequestClaim } from "./request-state.js";
import { showDecisions } from "./show-decisions.js";

/** What follows from verdicts: a refusal, or charges that stand and headers that tell of them. */
export function settle(
  phase: LimitedRequest,
  claims: readonly RequestClaim[],
  verdicts: readonly Verdict[],
): MaybePromise<Outcome> {
  const isRefused = noteVerdicts(phase, claims, verdicts, phase.core.failsOnFirstBreach);
  if (isRefused) return refuse(phase, verdicts);
  giveBackWhenAnswered(phase);
  tellAllowed(phase, claims, verdicts);
  if (phase.hasObserved) return observe(phase);
  showDecisions(phase);
  return undefined;
}

function tellAllowed(
  phase: LimitedRequest,
  claims: readonly RequestClaim[],
  verdicts: readonly Verdict[],
): void {
  const { core, req, res } = phase;
  if (!core.events.isHeard("allowed")) return;
  const [limits, passes] = [claims.filter(isLimit), verdicts.filter((_, i) => claims[i]?.role === "limit")];
  if (limits.length === 0) return;
  core.events.emit("allowed", { req, res, decision: toDecision(limits, passes, core.clock.now()) });
}

/**
 * Nothing stays charged: what earlier phases of this request spent is given back before the answer. Where each
 * limit is charged on its own, only what depends on the answer may be given back.
 */
function refuse(phase: LimitedRequest, verdicts: readonly Verdict[]): MaybePromise<Refused> {
  const { core, state } = phase;
  const refusal = toRefusal(phase, verdicts);
  if (!core.failsOnFirstBreach) {
    giveBackWhenAnswered(phase);
    return refusal;
  }
  return whenReady(giveBack(core, state.decided), () => refusal);
}

function isLimit(claim: RequestClaim): boolean {
  return claim.role === "limit";
}
