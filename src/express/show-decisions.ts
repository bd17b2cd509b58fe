import type { IncomingMessage, ServerResponse } from "node:http";
import { isShownBefore } from "../core/decision.js";
import type { Verdict } from "../core/strategy.js";
import { writeClassicHeaders, writeStandardHeaders } from "./headers.js";
import type { LimiterCore } from "./limiter-core.js";
import { RequestRateLimit } from "./request-info.js";
import type { DecidedClaim, RequestState } from "./request-state.js";
import { isShared, statesOf } from "./request-state.js";

interface Shown {
  readonly core: LimiterCore;
  readonly req: IncomingMessage & { rateLimit?: unknown };
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
  if (isOutdoneByAnother(req, state, shown)) return;
  req.rateLimit = new RequestRateLimit(shown, now);
  if (res.headersSent) return;
  if (core.headers.enabled) writeClassicHeaders(res, core.headers, shown, now);
  if (core.headers.standard !== false) {
    writeStandardHeaders(res, core.headers.standard, shown, allShown(req));
  }
}

/** The decided claim that headers show. */
function shownOf(decided: readonly DecidedClaim[]): DecidedClaim | undefined {
  let shown: DecidedClaim | undefined;
  for (const entry of decided) {
    if (!isShowable(entry)) continue;
    if (
      shown === undefined ||
      isShownBefore(entry.claim.policy, entry.verdict, shown.claim.policy, shown.verdict)
    ) {
      shown = entry;
    }
  }
  return shown;
}

function isShowable({ claim }: DecidedClaim): boolean {
  return claim.role === "limit" && claim.bound.options.headers !== false;
}

/** Two limiters on one app: the one with the least left is shown, on refusals the longest wait. */
function isOutdoneByAnother(req: IncomingMessage, own: RequestState, shown: DecidedClaim): boolean {
  if (!isShared(req)) return false;
  for (const state of statesOf(req)) {
    const other = state === own ? undefined : state.shown;
    if (other !== undefined && isNearerToItsEnd(other.verdict, shown.verdict)) return true;
  }
  return false;
}

function isNearerToItsEnd(a: Verdict, b: Verdict): boolean {
  if (a.allowed !== b.allowed) return b.allowed;
  return a.allowed ? a.remaining < b.remaining : a.retryAfterMs > b.retryAfterMs;
}

/** Every limit that counted for this request, of all limiters, in the order in which they were decided. */
function allShown(req: IncomingMessage): DecidedClaim[] {
  return statesOf(req).flatMap((state) => state.decided.filter(isShowable));
}
