import { KeyedClaim } from "../../src/core/claim.js";
import { KeyPlace, keyHead } from "../../src/core/key.js";
import { BLOCK_POLICY, createPolicy } from "../../src/core/policy.js";
import { RateLimit, type Unit } from "../../src/core/rate-limit.js";
import type { Claim } from "../../src/core/storage.js";
import type { Policy, StrategyName } from "../../src/core/strategy.js";

let keyCount = 0;

/** A policy by its numbers: `policy("fixed-window", 10, 1, "minute")`. */
export function policy(
  strategy: StrategyName,
  amount: number,
  multiples = 1,
  unit: Unit = "minute",
  burst?: number,
): Policy {
  return createPolicy(new RateLimit(amount, multiples, unit), strategy, burst);
}

/** A client that no test has used yet. */
export function freshClient(): string {
  return `client-${process.pid}-${keyCount++}`;
}

/** A claim of cost 1 on a limit, of a fresh client unless one is named. */
export function claim(of: Policy, more: Partial<Claim> & { readonly who?: string } = {}): Claim {
  const { who = freshClient(), ...rest } = more;
  return { policy: of, key: `test:{${who}}:${of.id}`, cost: 1, role: "limit", ...rest };
}

/** A claim that blocks its client for `blockMs` when `parent` refuses. */
export function blockClaim(blockMs: number, more: Partial<Claim> & { readonly who?: string } = {}): Claim {
  return claim(BLOCK_POLICY, { cost: blockMs, role: "meta", ...more });
}

/** A claim as a limiter makes it: of a place, its key put together when it is asked for. */
export function placed(of: Policy, owner: string, counter = "/x"): Claim {
  const place = new KeyPlace(keyHead("test"), counter, of.id);
  return new KeyedClaim({ policy: of, place, owner, cost: 1, role: "limit", who: owner, scope: counter });
}
