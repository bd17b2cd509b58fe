import type { Claim } from "../core/storage.js";
import type { StorageInstant, Verdict } from "../core/strategy.js";
import type { Increment, Item } from "./connection/link.js";
import { type CounterText, notACounter } from "./counter-text.js";
import type { Window } from "./window.js";

/** Is told when a charge of its own is answered. */
export interface ChargeList {
  arrived(charge: WindowCharge): void;
}

/** A claim on its way to its window's counter, and then what the counter holds. */
export class WindowCharge implements Increment {
  readonly claim: Claim;
  readonly window: Window;
  readonly first: string;
  readonly exptime: number;
  readonly #text: CounterText;
  readonly #list: ChargeList;
  #sum = 0;
  #cas = 0;
  #error: unknown;
  #isAnswered = false;

  constructor(claim: Claim, window: Window, text: CounterText, exptime: number, list: ChargeList) {
    this.claim = claim;
    this.window = window;
    this.first = text.first(claim.cost);
    this.exptime = exptime;
    this.#text = text;
    this.#list = list;
  }

  get key(): string {
    return this.window.key;
  }

  get by(): number {
    return this.claim.cost;
  }

  /** Why nobody knows what was charged; `undefined` when it is known. */
  get error(): unknown {
    return this.#error;
  }

  /** The counter as the answer told it. */
  get item(): Item {
    return { text: String(this.#sum), cas: this.#cas === 0 ? undefined : String(this.#cas) };
  }

  counted(sum: number, cas: number): void {
    if (this.#isAnswered) return;
    this.#sum = sum;
    this.#cas = cas;
    this.#arrive(Number.isSafeInteger(sum) ? undefined : notACounter(String(sum)));
  }

  failed(error: unknown): void {
    this.#arrive(error ?? new Error("The server could not count."));
  }

  /** Once: a client that calls back twice must not stand for the answers that its list still waits for. */
  #arrive(error: unknown): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#error = error;
    this.#list.arrived(this);
  }

  /**
   * What a fixed window says to it when it was made and had room, else `undefined`.
   *
   * Hot: straight from the sum, and the same as the strategy says, which would make a state and a transition.
   */
  admission(now: StorageInstant): Verdict | undefined {
    if (this.#error !== undefined) return undefined;
    const { claim, window } = this;
    const mark = this.#text.markOf(this.#sum);
    const count = this.#text.countOf(this.#sum, mark);
    const { amount } = claim.policy.limit;
    if (count > amount) return undefined;
    return {
      allowed: true,
      remaining: amount - Math.max(count, claim.cost),
      resetAfterMs: Math.max(1, window.endsAt - now),
      retryAfterMs: 0,
      receipt: window.endsAt,
      refundsSeen: mark,
    };
  }
}
