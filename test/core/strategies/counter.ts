import { parseLimit } from "../../../src/core/parse-limit.js";
import { createPolicy } from "../../../src/core/policy.js";
import type { Policy, Receipt, StrategyName, Transition, Verdict } from "../../../src/core/strategy.js";

/** A charge that was made, with what it cost. */
export interface Charged {
  readonly cost: number;
  readonly receipt: Receipt;
}

/** One counter of one policy, driven by hand: what a storage does with a strategy, and nothing more. */
export class Counter {
  readonly policy: Policy;
  #state: object | undefined;
  #expiresAt = Number.NEGATIVE_INFINITY;
  readonly #forgets: boolean;

  /** With `forgets` the state is dropped as soon as it may be, as storages do. */
  constructor(policy: Policy, { forgets = true }: { readonly forgets?: boolean } = {}) {
    this.policy = policy;
    this.#forgets = forgets;
  }

  static of(limit: string, strategy: StrategyName, burst?: number): Counter {
    return new Counter(createPolicy(parseLimit(limit), strategy, burst));
  }

  /** The instant from which on nothing needs to be remembered. */
  get expiresAt(): number {
    return this.#expiresAt;
  }

  hit(now: number, cost = 1): Transition<object> {
    const transition = this.policy.strategy.hit(this.#live(now), this.policy, cost, now);
    this.#state = transition.state;
    this.#expiresAt = transition.expiresAt;
    return transition;
  }

  test(now: number, cost = 1): Verdict {
    return this.policy.strategy.test(this.#live(now), this.policy, cost, now);
  }

  remaining(now: number): number {
    return this.test(now).remaining;
  }

  refund(now: number, { cost, receipt }: Charged): void {
    const state = this.#live(now);
    if (state === undefined) return;
    this.#state = this.policy.strategy.refund(state, this.policy, cost, receipt, now);
  }

  /** How many of so many hits, all at this instant, are admitted. */
  admitted(now: number, hits: number, cost = 1): number {
    let admitted = 0;
    for (let i = 0; i < hits; i++) if (this.hit(now, cost).allowed) admitted++;
    return admitted;
  }

  debt(now: number): number {
    const state = this.#live(now);
    return state === undefined ? 0 : this.policy.strategy.debt(state, this.policy, now);
  }

  #live(now: number): object | undefined {
    return this.#forgets && now >= this.#expiresAt ? undefined : this.#state;
  }
}
