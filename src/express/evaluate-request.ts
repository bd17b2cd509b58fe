import { isPromise, type MaybePromise, whenReady } from "../core/when-ready.js";
import type { BoundLimit } from "./bound-limit.js";
import { collectClaims } from "./collect-claims.js";
import type { WantedLimit } from "./counters.js";
import type { LimitedRequest } from "./limited-request.js";
import { enforcedOf, observe } from "./observe.js";
import { liftedFor, limitsOnTheWay } from "./phases.js";
import type { Outcome } from "./refusal.js";
import { settle } from "./settle-verdicts.js";
import { withoutStorage } from "./without-storage.js";

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
  const enforced = enforcedOf(phase);
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
