import { StorageError } from "../core/errors.js";
import { toDecision } from "../core/rate-limiter.js";
import type { Storage } from "../core/storage.js";
import type { Verdict } from "../core/strategy.js";
import { isPromise, type MaybePromise, whenReady } from "../core/when-ready.js";
import type { BoundLimit } from "./bound-limit.js";
import { collectClaims } from "./collect-claims.js";
import type { WantedLimit } from "./counters.js";
import { giveBack } from "./give-back.js";
import { LimitedRequest } from "./limited-request.js";
import { liftedFor, limitsOnTheWay } from "./phases.js";
import { giveBackWhenAnswered } from "./refund-after-response.js";
import { type Refused, toRefusal } from "./refusal.js";
import type { RequestClaim } from "./request-state.js";
import { showDecisions } from "./show-decisions.js";

/** What came of a phase: nothing, or a refusal. */
export type Outcome = Refused | undefined;

/**
 * Decides one phase: collects the claims of all its limits, has them decided together in one trip, and shows
 * the result in the headers.
 *
 * Synchronous when keys and storage are. Fails with errors of the user's functions, unchanged, and with
 * `StorageError` where nothing says what to do then. The hot path of every request: no promise, no closure.
 */
export function evaluate(phase: LimitedRequest, wanted: readonly WantedLimit[]): MaybePromise<Outcome> {
  const collecting = collectClaims(phase, wanted);
  if (isPromise(collecting)) return collecting.then(() => decideWithDefaults(phase));
  return decideWithDefaults(phase);
}

function decideWithDefaults(phase: LimitedRequest): MaybePromise<Outcome> {
  if (phase.withoutLimits === undefined) return decide(phase);
  return whenReady(bringBackDefaults(phase, phase.withoutLimits), () => decide(phase));
}

/** The default limits come back when all limits that would override them said "none of my own", unless exempted. */
function bringBackDefaults(phase: LimitedRequest, withoutLimits: readonly BoundLimit[]): MaybePromise<void> {
  const { state } = phase;
  const without = state.withoutLimits.concat(withoutLimits);
  state.withoutLimits = without;
  if (liftedFor(state).default || !withoutLimits.some(isOwn)) return;
  const overriding = [...limitsOnTheWay(state.lookup), ...withoutLimits].filter(
    (bound) => bound.overridesDefaults,
  );
  if (overriding.every((bound) => without.includes(bound))) {
    return collectClaims(phase, phase.phases.defaultLimits(state.lookup, phase.req));
  }
}

function isOwn({ kind }: BoundLimit): boolean {
  return kind === "route" || kind === "shared";
}

function decide(phase: LimitedRequest): MaybePromise<Outcome> {
  const { core } = phase;
  const enforced = phase.hasObserved ? phase.claims.filter(isEnforced) : phase.claims;
  if (enforced.length === 0) return observe(phase);
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
  phase: LimitedRequest,
  claims: readonly RequestClaim[],
  verdicts: readonly Verdict[],
): MaybePromise<Outcome> {
  const isRefused = note(phase, claims, verdicts, phase.core.failsOnFirstBreach);
  if (isRefused) return refuse(phase, verdicts);
  giveBackWhenAnswered(phase);
  tellAllowed(phase, claims, verdicts);
  if (phase.hasObserved) return observe(phase);
  showDecisions(phase);
  return undefined;
}

/** Adds a decided list to what is known of the request. True when something refused. */
function note(
  { state }: LimitedRequest,
  claims: readonly RequestClaim[],
  verdicts: readonly Verdict[],
  isAllOrNothing: boolean,
): boolean {
  const isRefused = verdicts.some(hasRefused);
  const isNothingCharged = isRefused && (isAllOrNothing || isRefusedByMeta(claims, verdicts));
  for (let i = 0; i < claims.length; i++) {
    const claim = claims[i];
    const verdict = verdicts[i];
    if (claim === undefined || verdict === undefined) continue;
    const isCharged = claim.role === "limit" && verdict.allowed && !isNothingCharged;
    const told = isRefused ? barred(claim, verdict, claims, verdicts) : verdict;
    state.decided.push({ claim, verdict: told, verdicts, isCharged });
  }
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

function hasRefused(verdict: Verdict): boolean {
  return !verdict.allowed;
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
function refuse(phase: LimitedRequest, verdicts: readonly Verdict[]): MaybePromise<Outcome> {
  const { core, state } = phase;
  const refusal = toRefusal(phase, verdicts);
  if (!core.failsOnFirstBreach) {
    giveBackWhenAnswered(phase);
    return refusal;
  }
  return whenReady(giveBack(core, state.decided), () => refusal);
}

/** Limits that only watch: charged on their own, and never in the way, not even when the storage fails. */
function observe(phase: LimitedRequest): MaybePromise<Outcome> {
  const observed = phase.claims.filter((claim) => !isEnforced(claim));
  if (observed.length === 0) return undefined;
  try {
    const verdicts = phase.core.guard.hit(observed, "each");
    if (!isPromise(verdicts)) return showObserved(phase, observed, verdicts);
    return verdicts.then(
      (decided) => showObserved(phase, observed, decided),
      (error) => passOverStorageError(error),
    );
  } catch (error) {
    return passOverStorageError(error);
  }
}

function showObserved(
  phase: LimitedRequest,
  observed: readonly RequestClaim[],
  verdicts: readonly Verdict[],
): undefined {
  const isRefused = note(phase, observed, verdicts, false);
  giveBackWhenAnswered(phase);
  showDecisions(phase);
  if (isRefused) tellObserved(phase, verdicts);
}

function passOverStorageError(error: unknown): undefined {
  if (!(error instanceof StorageError)) throw error;
}

function tellObserved(phase: LimitedRequest, verdicts: readonly Verdict[]): void {
  const { core, req, res } = phase;
  core.events.emit("breach", { req, res, error: toRefusal(phase, verdicts).error, observed: true });
}

/** The storage failed: other limits in memory, or let the request pass, or fail. */
function withoutStorage(phase: LimitedRequest, error: unknown): MaybePromise<Outcome> {
  const { core } = phase;
  if (!(error instanceof StorageError)) throw error;
  if (core.fallback.length > 0 && core.guard.fallback !== undefined)
    return fallBack(phase, core.guard.fallback);
  if (!core.swallowsErrors) throw error;
  return undefined;
}

function fallBack(phase: LimitedRequest, fallback: Storage): MaybePromise<Outcome> {
  const { core, phases, state } = phase;
  const instead = new LimitedRequest(core, phases, phase.req, phase.res, state);
  return whenReady(collectClaims(instead, phases.fallbackLimits(state)), () => {
    if (instead.claims.length === 0) return undefined;
    return whenReady(core.guard.hitFallback(fallback, instead.claims, { mode: "all" }), (verdicts) =>
      settle(instead, instead.claims, verdicts),
    );
  });
}

function isLimit(claim: RequestClaim): boolean {
  return claim.role === "limit";
}

function isEnforced(claim: RequestClaim): boolean {
  return claim.bound.options.observe !== true;
}
