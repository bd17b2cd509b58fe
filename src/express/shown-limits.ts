import type { Verdict } from "../core/strategy.js";
import type { RequestClaim, RequestState } from "./request-state.js";
import { statesOf } from "./request-states.js";

/**
 * Of all limiters that met a request the one that headers show: the one with the least left, on refusals the one
 * with the longest wait. `undefined` when none decided anything.
 */
export function nearestToItsEnd(req: object): RequestState | undefined {
  let nearest: RequestState | undefined;
  for (const state of statesOf(req)) {
    if (state.shown === undefined) continue;
    if (nearest?.shown === undefined || isNearer(state.shown.verdict, nearest.shown.verdict)) nearest = state;
  }
  return nearest;
}

function isNearer(a: Verdict, b: Verdict): boolean {
  if (a.allowed !== b.allowed) return b.allowed;
  return a.allowed ? a.remaining < b.remaining : a.retryAfterMs > b.retryAfterMs;
}

/** Limits on breaches, and blocks, are shown only where they refuse. */
export function isShowable({ role, verdict, bound }: RequestClaim): boolean {
  return (role === "limit" || !verdict.allowed) && bound.options.headers !== false;
}

/** Every limit that counted for this request, of all limiters, in the order in which they were decided. */
export function allShown(req: object): RequestClaim[] {
  return statesOf(req).flatMap(shownIn);
}

/** The same of one limiter. Mostly these are all, and the list itself is given. */
export function shownIn({ decided }: RequestState): readonly RequestClaim[] {
  for (const claim of decided) if (!isShowable(claim)) return decided.filter(isShowable);
  return decided;
}
