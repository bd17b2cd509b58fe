import type { Claim } from "../core/storage.js";
import type { Receipt, StorageInstant, Verdict } from "../core/strategy.js";
import type { Waiter } from "./cas-rounds.js";
import type { ChargeList, WindowCharge } from "./window-charge.js";

/**
 * A claim that was charged, or refused, but not yet for good: other claims of its list may still refuse.
 *
 * Charge first, give back later: so that a counter never shows less than what was admitted.
 */
export interface Reservation {
  readonly verdict: Verdict;
  /** Something of it stands in Memcached. A counter counts even what is refused. */
  readonly isHeld: boolean;
  /** What a test of the claim said before. */
  before(): Verdict;
  /** What a test of the claim says after it. */
  after(): Verdict;
  /** Takes it back. */
  undo(): Promise<void>;
}

/** How the limits of one policy are counted in Memcached. */
export interface Tally {
  /** The short way of a policy of which one answer of the server tells all. */
  readonly plain: PlainTally | undefined;
  reserve(claim: Claim, waiter: Waiter): Promise<Reservation>;
  test(claim: Claim): Promise<Verdict>;
  refund(claim: Claim, receipt: Receipt): Promise<void>;
  clear(claim: Claim): Promise<void>;
}

/** Charges with one command, and no promise. */
export interface PlainTally {
  /** A charge for a cost from 1 that fits an empty counter; the list is told when it is answered. */
  prepare(claim: Claim, now: StorageInstant, list: ChargeList): WindowCharge;
  send(charge: WindowCharge): void;
  /** A charge that was answered, to be kept or given back. */
  reservationOf(charge: WindowCharge): Reservation;
}

/** A limit that was charged. */
export interface ReservedClaim {
  readonly claim: Claim;
  readonly reservation: Reservation;
}
