import { StorageError } from "../core/errors.js";
import type { Storage } from "../core/storage.js";
import { type MaybePromise, whenReady } from "../core/when-ready.js";
import { collectClaims } from "./collect-claims.js";
import { LimitedRequest } from "./limited-request.js";
import type { Outcome } from "./refusal.js";
import { settle } from "./settle-verdicts.js";

/** The storage failed: other limits in memory, or let the request pass, or fail. */
export function withoutStorage(phase: LimitedRequest, error: unknown): MaybePromise<Outcome> {
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
