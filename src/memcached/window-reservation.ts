import type { Claim } from "../core/storage.js";
import type { StorageInstant, Strategy, Transition, Verdict } from "../core/strategy.js";
import type { Reservation } from "./tally.js";

/** A claim that was added to its window's counter, or only looked at when there is no way to undo it. */
export class WindowReservation<State extends object> implements Reservation {
  readonly verdict: Verdict;
  readonly #strategy: Strategy<State>;
  readonly #claim: Claim;
  readonly #state: State;
  readonly #now: StorageInstant;
  readonly #charged: Transition<State>;
  readonly #undo: (() => Promise<void>) | undefined;

  /** `state`: as it was before the claim, at the instant `now`. `mark`: of the counter that was charged. */
  constructor(
    strategy: Strategy<State>,
    claim: Claim,
    state: State,
    now: StorageInstant,
    mark: number,
    undo: (() => Promise<void>) | undefined,
  ) {
    const charged = strategy.hit(state, claim.policy, claim.cost, now);
    const { allowed, remaining, resetAfterMs, retryAfterMs, receipt } = charged;
    this.verdict = { allowed, remaining, resetAfterMs, retryAfterMs, receipt, refundsSeen: mark };
    this.#strategy = strategy;
    this.#claim = claim;
    this.#state = state;
    this.#now = now;
    this.#charged = charged;
    this.#undo = undo;
  }

  /** A counter holds what it refused, until that is given back. */
  get isHeld(): boolean {
    return this.#undo !== undefined;
  }

  before(): Verdict {
    return this.#strategy.test(this.#state, this.#claim.policy, this.#claim.cost, this.#now);
  }

  after(): Verdict {
    return this.#strategy.test(this.#charged.state, this.#claim.policy, this.#claim.cost, this.#now);
  }

  undo(): Promise<void> {
    return this.#undo?.() ?? Promise.resolve();
  }
}
