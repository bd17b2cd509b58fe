import { StorageError } from "../core/errors.js";
import type { Verdict } from "../core/strategy.js";
import { isPromise, type MaybePromise } from "../core/when-ready.js";
import type { LimitedRequest } from "./limited-request.js";
import { noteVerdicts } from "./note-verdicts.js";
import { giveBackWhenAnswered } from "./refund-after-response.js";
import { type Outcome, toRefusal } from "./refusal.js";
import type { RequestClaim } from "./request-state.js";
import { showDecisions } from "./show-decisions.js";

/** The claims that can refuse: those of limits that do more than observe. */
export function enforcedOf({ claims, hasObserved }: LimitedRequest): readonly RequestClaim[] {
  return hasObserved ? claims.filter(isEnforced) : claims;
}

/** Limits that only watch: charged on their own, and never in the way, not even when the storage fails. */
export function observe(phase: LimitedRequest): MaybePromise<Outcome> {
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
  const isRefused = noteVerdicts(phase, observed, verdicts, false);
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

function isEnforced(claim: RequestClaim): boolean {
  return claim.bound.options.observe !== true;
}
