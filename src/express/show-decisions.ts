import type { IncomingMessage, ServerResponse } from "node:http";
import { isShownBefore } from "../core/decision.js";
import { writeClassicHeaders, writeStandardHeaders } from "./headers.js";
import type { LimiterCore } from "./limiter-core.js";
import { offerRateLimit } from "./request-info.js";
import type { RequestClaim, RequestState } from "./request-state.js";
import { isShowable, nearestToItsEnd } from "./shown-limits.js";

interface Shown {
  readonly core: LimiterCore;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly state: RequestState;
}

/**
 * Puts what was decided so far on the request and into the headers: the limit with the longest wait on a
 * refusal, otherwise the one with the smallest window. Of two limiters, the one that is nearer to its end.
 */
export function showDecisions({ core, req, res, state }: Shown): void {
  const shown = shownOf(state.decided);
  if (shown === undefined) return;
  const now = core.clock.now();
  state.shown = shown;
  state.shownAt = now;
  state.info = undefined;
  offerRateLimit(req);
  const isNearest = state.isAlone || nearestToItsEnd(req) === state;
  try {
    if (core.headers.enabled && isNearest) writeClassicHeaders(res, core.headers, shown, now);
    writeStandardHeaders(res, core.headers, isNearest ? shown : undefined, state);
  } catch (error) {
    // Asked only now: on the way of every request `headersSent` would cost as much as a header.
    if (!res.headersSent) throw error;
  }
}

/** The decided claim that headers show. */
function shownOf(decided: readonly RequestClaim[]): RequestClaim | undefined {
  let shown: RequestClaim | undefined;
  for (const claim of decided) {
    if (!isShowable(claim)) continue;
    if (shown === undefined || isShownBefore(claim.policy, claim.verdict, shown.policy, shown.verdict)) {
      shown = claim;
    }
  }
  return shown;
}
