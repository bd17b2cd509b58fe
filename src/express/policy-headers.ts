import type { Policy } from "../core/strategy.js";
import type { BoundLimit } from "./bound-limit.js";
import { policyNames } from "./policy-names.js";
import { policyToTell, type RequestClaim } from "./request-state.js";
import { sfItem, sfString, windowSeconds } from "./structured-fields.js";

/** One limit, as the headers of every response name it. */
interface ToldPolicy {
  readonly bound: BoundLimit;
  readonly policy: Policy;
  /** Its name as a structured field. */
  readonly name: string;
}

/** A list of limits, as far as headers say the same of it in every response. */
export interface ToldPolicies {
  readonly told: readonly ToldPolicy[];
  /** The whole of `RateLimit-Policy`. */
  readonly header: string;
}

/** What headers say of limits, whatever was spent of them: put together once for a list, not for each request. */
export class PolicyHeaders {
  /** By the limit that comes last, where lists differ: limits of a route come after those for all routes. */
  readonly #known = new WeakMap<BoundLimit, ToldPolicies>();

  /** What is said of these limits, of which there must be one. */
  of(claims: readonly RequestClaim[]): ToldPolicies {
    const last = claims[claims.length - 1]?.bound;
    const known = last && this.#known.get(last);
    if (known !== undefined && isAbout(known, claims)) return known;
    const made = tell(claims);
    // A function gives policies that are new each time: they would only push out each other.
    if (last?.policies !== undefined) this.#known.set(last, made);
    return made;
  }
}

/** Hot. */
function isAbout({ told }: ToldPolicies, claims: readonly RequestClaim[]): boolean {
  if (told.length !== claims.length) return false;
  for (let i = 0; i < claims.length; i++) {
    const claim = claims[i];
    const one = told[i];
    if (claim === undefined || one === undefined) return false;
    if (one.bound !== claim.bound || one.policy !== policyToTell(claim)) return false;
  }
  return true;
}

function tell(claims: readonly RequestClaim[]): ToldPolicies {
  const names = policyNames(claims);
  const told = claims.map((claim, i) => {
    return { bound: claim.bound, policy: policyToTell(claim), name: names[i] ?? "" };
  });
  const header = told
    .map(({ policy: { capacity, limit }, name }) =>
      sfItem(name, [
        { key: "q", value: capacity },
        { key: "w", value: windowSeconds(limit.windowMs) },
      ]),
    )
    .join(", ");
  return { told: told.map((one) => ({ ...one, name: sfString(one.name) })), header };
}
