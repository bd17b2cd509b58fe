import type { Request, Response } from "express";
import { StorageError } from "../core/errors.js";
import type { Verdict } from "../core/strategy.js";
import { isPromise, type MaybePromise, whenReady } from "../core/when-ready.js";
import { collectClaims, type Phase, type WantedLimit } from "./collect-claims.js";
import { giveBack } from "./give-back.js";
import type { LimiterCore } from "./limiter-core.js";
import { limitsOnTheWay } from "./phases.js";
import { giveBackWhenAnswered } from "./refund-after-response.js";
import { type Refused, toRefusal } from "./refusal.js";
import type { RequestClaim, RequestState } from "./request-state.js";
import { showDecisions } from "./show-decisions.js";

/** What came of a phase: nothing, or a refusal. */
export type Outcome = Refused | undefined;

/** One request before one limiter. */
export interface LimitedRequest {
  readonly core: LimiterCore;
  readonly req: Request;
  readonly res: Response;
  readonly state: RequestState;
}

/**
 * Decides one phase: collects the claims of all its limits, has them decided together in one trip, and shows
 * the result in the headers.
 *
 * Synchronous when keys and storage are. Fails with errors of the user's functions, unchanged, and with
 * `StorageError` where nothing says what to do then.
 */
export function evaluate(
  request: LimitedRequest,
  wanted: readonly WantedLimit[],
  back: readonly WantedLimit[] = [],
): MaybePromise<Outcome> {
  const phase: Phase = { ...request, claims: [], withoutLimits: [] };
  return whenReady(collectClaims(phase, wanted), () =>
    whenReady(bringBackDefaults(phase, back), () => decide(phase)),
  );
}

/** The default limits come back when all limits that would override them said "none of my own". */
function bringBackDefaults(phase: Phase, back: readonly WantedLimit[]): MaybePromise<void> {
  const { state, withoutLimits } = phase;
  if (withoutLimits.length === 0) return;
  for (const bound of withoutLimits) state.withoutLimits.add(bound);
  const overriding = [...limitsOnTheWay(state.lookup, phase.req), ...withoutLimits].filter(
    (bound) => bound.overridesDefaults,
  );
  if (overriding.every((bound) => state.withoutLimits.has(bound))) return collectClaims(phase, back);
}

function decide(phase: Phase): MaybePromise<Outcome> {
  const enforced = phase.claims.filter(isEnforced);
  if (enforced.length === 0) return observe(phase);
  const { core } = phase;
  try {
    const verdicts = core.guard.hit(enforced, core.failsOnFirstBreach ? "all" : "each");
    if (!isPromise(verdicts)) return settle(phase, enforced, verdicts);
    return verdicts.then(
      (decided) => settle(phase, enforced, decided),
      (error) => withoutStorage(phase, error),
    );
  } catch (error) {
    return withoutStorage(phase, error);
  }
}

function settle(
  phase: Phase,
  claims: readonly RequestClaim[],
  verdicts: readonly Verdict[],
): MaybePromise<Outcome> {
  const { state } = phase;
  let isRefused = false;
  for (let i = 0; i < claims.length; i++) {
    const [claim, verdict] = [claims[i], verdicts[i]];
    if (claim === undefined || verdict === undefined) continue;
    if (!verdict.allowed) isRefused = true;
    state.decided.push({ claim, verdict, verdicts, isCharged: false });
  }
  if (isRefused) return refuse(phase, verdicts);
  for (const decided of state.decided) {
    if (decided.verdicts === verdicts && decided.claim.role === "limit") decided.isCharged = true;
  }
  giveBackWhenAnswered(phase);
  if (claims.length < phase.claims.length) return observe(phase);
  showDecisions(phase);
  return undefined;
}

/** Nothing stays charged: what earlier phases of this request spent is given back before the answer. */
function refuse(phase: Phase, verdicts: readonly Verdict[]): MaybePromise<Outcome> {
  const { core, state } = phase;
  state.isBreached = true;
  const refusal = toRefusal(phase, verdicts);
  if (!core.failsOnFirstBreach) return refusal;
  return whenReady(giveBack(core, state.decided), () => refusal);
}

/** Limits that only watch: charged on their own, and never in the way. */
function observe(phase: Phase): MaybePromise<Outcome> {
  const observed = phase.claims.filter((claim) => !isEnforced(claim));
  if (observed.length === 0) return undefined;
  return whenReady(phase.core.guard.hit(observed, "each"), (verdicts) => {
    observed.forEach((claim, i) => {
      const verdict = verdicts[i];
      if (verdict === undefined) return;
      phase.state.decided.push({
        claim,
        verdict,
        verdicts,
        isCharged: verdict.allowed && claim.role === "limit",
      });
      if (!verdict.allowed) phase.state.isBreached = true;
    });
    giveBackWhenAnswered(phase);
    showDecisions(phase);
    if (verdicts.some((verdict) => !verdict.allowed)) tellObserved(phase, verdicts);
    return undefined;
  });
}

function tellObserved(phase: Phase, verdicts: readonly Verdict[]): void {
  const { core, req, res } = phase;
  core.events.emit("breach", { req, res, error: toRefusal(phase, verdicts).error, observed: true });
}

/** The storage failed: own limits in memory, or let the request pass, or fail. */
function withoutStorage(phase: Phase, error: unknown): MaybePromise<Outcome> {
  const { core } = phase;
  if (!(error instanceof StorageError)) throw error;
  if (core.swallowsErrors) {
    core.logger?.warn("The storage failed; the request passes without a limit.", error);
    return undefined;
  }
  throw error;
}

function isEnforced(claim: RequestClaim): boolean {
  return claim.bound.options.observe !== true;
}
