import type { Policy } from "../core/strategy.js";
import type { BoundLimit } from "./bound-limit.js";
import type { Counter } from "./counters.js";

/** A counter with one of its policies, and the limit that uses it. */
export interface SeenCounter {
  readonly counter: Counter;
  readonly policy: Policy;
  readonly bound: BoundLimit;
}

/** Scopes that are functions of the request could make counters without end. */
const MOST_SEEN = 10_000;

/**
 * The counters that a limiter has met, by their stored name: as many as there are routes and limits. Limits that
 * share a name but not a key function count different clients, and are all kept.
 */
export class SeenCounters {
  readonly #seen = new Map<string, SeenCounter[]>();

  note(counter: Counter, policy: Policy, bound: BoundLimit): void {
    const name = `${counter.name}:${policy.id}`;
    const known = this.#seen.get(name);
    if (known === undefined) {
      if (this.#seen.size < MOST_SEEN) this.#seen.set(name, [{ counter, policy, bound }]);
    } else if (known.every((seen) => seen.bound.keyFunc !== bound.keyFunc)) {
      known.push({ counter, policy, bound });
    }
  }

  all(): SeenCounter[] {
    return [...this.#seen.values()].flat();
  }
}
