import type { Milliseconds } from "../core/clock.js";
import type { Deadlines } from "../core/deadlines.js";
import type { Claim } from "../core/storage.js";
import type { StorageInstant, Verdict } from "../core/strategy.js";
import type { PlainTally, ReservedClaim } from "./tally.js";
import { TimedCall } from "./timed-call.js";
import type { ChargeList, WindowCharge } from "./window-charge.js";

/** A list of charges from its commands to its decision; `onAnswered` is called when every charge is answered. */
export class PlainHit extends TimedCall<readonly Verdict[]> implements ChargeList {
  readonly #tallies: readonly PlainTally[];
  readonly #onAnswered: (hit: PlainHit) => void;
  readonly #charges: WindowCharge[];
  #missing: number;

  constructor(
    tallies: readonly PlainTally[],
    onAnswered: (hit: PlainHit) => void,
    deadlines: Deadlines,
    timeoutMs: Milliseconds,
    resolve: (verdicts: readonly Verdict[]) => void,
    reject: (error: unknown) => void,
  ) {
    super(deadlines, timeoutMs, resolve, reject);
    this.#tallies = tallies;
    this.#onAnswered = onAnswered;
    this.#charges = new Array<WindowCharge>(tallies.length);
    this.#missing = tallies.length;
  }

  get size(): number {
    return this.#tallies.length;
  }

  /** The first charge of which nobody knows whether it was made; `undefined` when all are known. */
  get failure(): WindowCharge | undefined {
    return this.#charges.find(({ error }) => error !== undefined);
  }

  /** Sends the charges, one for each tally. All are made before the first leaves: it may fail at once. */
  send(claims: readonly Claim[], now: StorageInstant): void {
    const tallies = this.#tallies;
    for (let i = 0; i < tallies.length; i++) {
      const claim = claims[i];
      const charge = claim && tallies[i]?.prepare(claim, now, this);
      if (charge !== undefined) this.#charges[i] = charge;
    }
    for (let i = 0; i < tallies.length; i++) {
      const charge = this.#charges[i];
      if (charge !== undefined) tallies[i]?.send(charge);
    }
  }

  arrived(): void {
    if (--this.#missing === 0) this.#onAnswered(this);
  }

  /** The verdicts, if every charge is known and had room. */
  admissions(now: StorageInstant): readonly Verdict[] | undefined {
    const charges = this.#charges;
    const verdicts = new Array<Verdict>(charges.length);
    for (let i = 0; i < charges.length; i++) {
      const verdict = charges[i]?.admission(now);
      if (verdict === undefined) return undefined;
      verdicts[i] = verdict;
    }
    return verdicts;
  }

  /** What was charged for certain. */
  reservations(): ReservedClaim[] {
    return this.#charges.flatMap((charge, i) => {
      const reservation = charge.error === undefined ? this.#tallies[i]?.reservationOf(charge) : undefined;
      return reservation === undefined ? [] : [{ claim: charge.claim, reservation }];
    });
  }
}
