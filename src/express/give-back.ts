import type { Charge } from "../core/storage.js";
import type { Verdict } from "../core/strategy.js";
import { isPromise, type MaybePromise } from "../core/when-ready.js";
import type { LimiterCore } from "./limiter-core.js";
import type { RequestClaim } from "./request-state.js";

/** Gives back all charges of these claims that still stand, each once. */
export function giveBack(core: LimiterCore, decided: readonly RequestClaim[]): MaybePromise<void> {
  if (decided.length === 0) return;
  const byList = new Map<readonly Verdict[], Charge[]>();
  for (const claim of decided) {
    if (!claim.isCharged) continue;
    claim.isCharged = false;
    const charges = byList.get(claim.verdicts) ?? [];
    charges.push({ claim, receipt: claim.verdict });
    byList.set(claim.verdicts, charges);
    claim.verdict = withoutCharge(claim);
  }
  const pending: Promise<void>[] = [];
  for (const [verdicts, charges] of byList) {
    const done = core.guard.refund(charges, verdicts);
    if (isPromise(done)) pending.push(done);
  }
  if (pending.length > 0) return Promise.all(pending).then(() => undefined);
}

/** What is left when the charge is back. That nothing is used any more is known, when else more comes stays as told. */
function withoutCharge({ policy, cost, verdict }: RequestClaim): Verdict {
  const { capacity } = policy;
  const remaining = Math.min(capacity, verdict.remaining + cost);
  return { ...verdict, remaining, resetAfterMs: remaining === capacity ? 0 : verdict.resetAfterMs };
}
