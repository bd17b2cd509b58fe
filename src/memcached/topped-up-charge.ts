import type { Claim } from "../core/storage.js";
import type { CounterText } from "./counter-text.js";
import type { Spare } from "./spare-units.js";
import type { Window } from "./window.js";
import { type ChargeList, WindowCharge } from "./window-charge.js";

/** What a {@link ToppedUpCharge} needs of the one who makes it. */
export interface TopUp {
  /** What it takes over, at most its cost. */
  readonly spare: Spare;
  send(charge: WindowCharge): void;
  /** Nobody knows what was added, but this much stands in the counter and is not used. */
  unused(spare: Spare): void;
}

/**
 * A charge of which a part stands in the counter already, and only the rest is added.
 *
 * When the answer tells that the counter was made anew, what stood in the old one is worth nothing, and is added
 * to the new one before anybody is told: so a counter never shows less than what was admitted.
 */
export class ToppedUpCharge extends WindowCharge {
  readonly #text: CounterText;
  readonly #topUp: TopUp;
  #standing: Spare;
  #isSettled = false;

  constructor(
    claim: Claim,
    window: Window,
    text: CounterText,
    exptime: number,
    list: ChargeList,
    topUp: TopUp,
  ) {
    super(claim, window, text, exptime, list);
    this.#text = text;
    this.#topUp = topUp;
    this.#standing = topUp.spare;
  }

  override get by(): number {
    return this.claim.cost - this.#standing.units;
  }

  override counted(sum: number, cas: number): void {
    const mark = this.#text.markOf(sum);
    const isWhole = mark === this.#standing.mark || sum === Number(this.first);
    if (isWhole || this.#isSettled || Number.isNaN(sum)) {
      this.#isSettled = true;
      super.counted(sum, cas);
      return;
    }
    this.#standing = { mark, units: this.by };
    this.#topUp.send(this);
  }

  override failed(error: unknown): void {
    if (!this.#isSettled) this.#topUp.unused(this.#standing);
    this.#isSettled = true;
    super.failed(error);
  }
}
