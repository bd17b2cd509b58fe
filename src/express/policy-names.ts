import type { RateLimit } from "../core/rate-limit.js";
import { policyToTell, type RequestClaim } from "./request-state.js";

/** `"10-per-hour"`, `"5-per-15-minute"`: a limit as a policy name. */
export function policyName(limit: RateLimit, name: string | undefined): string {
  if (name !== undefined) return name;
  return `${limit.amount}-per-${limit.multiples === 1 ? "" : `${limit.multiples}-`}${limit.unit}`;
}

/** The names of all policies of a response, in order: no two alike. */
export function policyNames(decided: readonly RequestClaim[]): string[] {
  const taken = new Set<string>();
  return decided.map((claim) => {
    const base = policyName(policyToTell(claim).limit, claim.bound.options.name);
    let name = base;
    for (let n = 2; taken.has(name); n++) name = `${base}-${n}`;
    taken.add(name);
    return name;
  });
}
