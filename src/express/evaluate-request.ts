import type { Verdict } from "../core/strategy.js";
import { isPromise, type MaybePromise } from "../core/when-ready.js";
import type { BoundLimit } from "./bound-limit.js";
import { collectClaims } from "./collect-claims.js";
import type { WantedLimit } from "./counters.js";
import type { LimitedRequest } from "./limited-request.js";
import { enforcedOf, observe } from "./observe.js";
import { liftedFor, limitsOnTheWay } from "./phases.js";
import type { Outcome } from "./refusal.js";
import type { RequestClaim } from "./request-state.js";
import { settle } from "./settle-verdicts.js";
import { withoutStorage } from "./without-storage.js";

/**
 * Decides one phase: collects the claims of all its limits, has them decided together in one trip, and shows
 * the result in the headers.
 *
 * Synchronous when keys and storage are. Fails with errors of the user's functions, unchanged, and with
 * `StorageError` where nothing says what to do then. The hot path of every request: no promise, and no closure,
 * not even for the case that something is asynchronous, since what it would hold is allocated in any case.
 */
export function evaluate(phase: LimitedRequest, wanted: readonly WantedLimit[]): MaybePromise<Outcome> {
  const collecting = collectClaims(phase, wanted);
  return isPromise(collecting) ? decideOnceCollected(phase, collecting) : decideWithDefaults(phase);
}

async function decideOnceCollected(phase: LimitedRequest, collecting: Promise<void>): Promise<Outcome> {
  await collecting;
  return decideWithDefaults(phase);
}

function decideWithDefaults(phase: LimitedRequest): MaybePromise<Outcome> {
  const collecting = phase.withoutLimits && bringBackDefaults(phase, phase.withoutLimits);
  return isPromise(collecting) ? decideOnceComplete(phase, collecting) : decide(phase);
}

async function decideOnceComplete(phase: LimitedRequest, collecting: Promise<void>): Promise<Outcome> {
  await collecting;
  return decide(phase);
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
  const enforced = enforcedOf(phase);
  if (enforced.length === 0) return observe(phase);
  try {
    const verdicts = core.guard.hit(enforced, core.failsOnFirstBreach ? "all" : "each");
    return isPromise(verdicts) ? settleLater(phase, enforced, verdicts) : settle(phase, enforced, verdicts);
  } catch (error) {
    return withoutStorage(phase, error);
  }
}

/** As at once: a storage that gives too few verdicts has failed, too. */
async function settleLater(
  phase: LimitedRequest,
  claims: readonly RequestClaim[],
  verdicts: Promise<readonly Verdict[]>,
): Promise<Outcome> {
  try {
    return settle(phase, claims, await verdicts);
  } catch (error) {
    return withoutStorage(phase, error);
  }
}
