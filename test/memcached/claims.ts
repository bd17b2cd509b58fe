import { createPolicy } from "../../src/core/policy.js";
import { RateLimit, type Unit } from "../../src/core/rate-limit.js";
import type { Claim } from "../../src/core/storage.js";
import type { StrategyName } from "../../src/core/strategy.js";

export interface ClaimOptions {
  readonly amount?: number;
  readonly multiples?: number;
  readonly unit?: Unit;
  readonly strategy?: StrategyName;
  readonly burst?: number;
  readonly key?: string;
  readonly cost?: number;
  readonly role?: Claim["role"];
  readonly parent?: Claim;
}

/** A claim as the engine would make it; 3 per hour by fixed window unless told otherwise. */
export function newClaim(options: ClaimOptions = {}): Claim {
  const { amount = 3, multiples = 1, unit = "hour", strategy = "fixed-window", burst, key = "ada" } = options;
  const policy = createPolicy(new RateLimit(amount, multiples, unit), strategy, burst);
  return {
    policy,
    key: `test:{${key}}:shared:x:${policy.id}`,
    cost: options.cost ?? 1,
    role: options.role ?? "limit",
    parent: options.parent,
  };
}

/** A clock that stands still until it is turned. */
export class TurnedClock {
  #now: number;

  constructor(startAt: number) {
    this.#now = startAt;
  }

  now(): number {
    return this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
  }
}
