import type { Charge, Claim } from "../core/storage.js";
import type { StorageInstant, Verdict } from "../core/strategy.js";
import { Places, type Spot } from "./places.js";
import { HAS_REFUSED, type Segment } from "./segment.js";
import { isPlainWindow, SlotStates } from "./slot-states.js";
import type { SlotTable } from "./slot-table.js";
import { Upkeep } from "./upkeep.js";
import { verdictOf, windowHasRoom, windowRefuses } from "./verdicts.js";

/** How many slots are swept for each new key, in time. */
const SLOTS_SWEPT_PER_NEW_KEY = 4;

/**
 * One counter at a time: finds its slot, runs its strategy, keeps what follows.
 *
 * The fixed window is written out here a second time, in numbers, since it is what most hits are: a hit makes
 * nothing but its verdict. Property tests hold it against the strategy.
 */
export class Counters {
  readonly upkeep: Upkeep;
  readonly #table: SlotTable;
  readonly #maxKeys: number;
  readonly #onNewKey: () => void;
  readonly #places: Places;
  readonly #states: SlotStates;
  /** The spot of a claim that comes alone, and those of a list. */
  readonly #alone: Spot;
  readonly #spots: Spot[] = [];
  /** The segment of the spot looked at last. */
  #segment: Segment;

  constructor(table: SlotTable, maxKeys: number, onNewKey: () => void) {
    this.#table = table;
    this.#maxKeys = maxKeys;
    this.#onNewKey = onNewKey;
    this.#places = new Places(table.fingerprint, table.families);
    this.#states = new SlotStates(table.arena);
    this.upkeep = new Upkeep(table);
    this.#alone = this.#places.spot();
    this.#segment = table.segmentOf(0);
  }

  /** Charges the cost if it fits. */
  charge(claim: Claim, now: StorageInstant): Verdict {
    return this.#chargeAt(this.#find(claim), claim, now);
  }

  /** Says what {@link charge} would say, and charges nothing. */
  test(claim: Claim, now: StorageInstant): Verdict {
    return this.#testAt(this.#find(claim), claim, now);
  }

  /** Would all costs fit? Finds the counters for {@link chargeAll}. */
  fitAll(claims: readonly Claim[], now: StorageInstant): boolean {
    for (let i = 0; i < claims.length; i++) {
      const claim = claims[i];
      if (claim !== undefined && !this.#fits(this.#find(claim, this.#spotOf(i)), claim, now)) return false;
    }
    return true;
  }

  /** Charges the limits of a list, and tests the others: of the list that {@link fitAll} has just found to fit. */
  chargeAll(claims: readonly Claim[], now: StorageInstant): Verdict[] {
    const { changes } = this.#table;
    const verdicts = new Array<Verdict>(claims.length);
    for (let i = 0; i < claims.length; i++) {
      const claim = claims[i];
      if (claim === undefined) continue;
      const spot = this.#spotOf(i);
      if (this.#table.changes === changes) this.#segment = this.#table.segmentOf(spot.high);
      else this.#look(spot);
      verdicts[i] =
        claim.role === "limit" ? this.#chargeAt(spot, claim, now) : this.#testAt(spot, claim, now);
    }
    return verdicts;
  }

  /** Takes a charge back. */
  refund({ claim, receipt }: Charge, now: StorageInstant): void {
    const { policy, cost } = claim;
    const slot = this.#liveSlot(this.#find(claim), now);
    if (slot < 0) return;
    const state = this.#states.read(this.#segment, slot, policy);
    const left = policy.strategy.refund(state, policy, cost, receipt, now);
    if (left === undefined) this.#table.release(this.#segment, slot);
    else this.#states.write(this.#segment, slot, policy, left, this.#segment.expiresAt(slot));
  }

  clear(claim: Claim): void {
    const { slot } = this.#find(claim);
    if (slot >= 0) this.#table.release(this.#segment, slot);
  }

  /** Remembers that a counter stood in somebody's way: it is the last to make room for others. */
  noteRefusal(claim: Claim, { remaining }: Verdict): void {
    const { slot } = this.#find(claim);
    if (slot >= 0) this.#segment.flag(slot, HAS_REFUSED, remaining === 0);
  }

  /** Forgets the counters whose keys begin so; the prefix ends at the brace before the client, or earlier. */
  reset(prefix: string): void {
    const table = this.#table;
    const all = [...table.families.all()];
    const doomed = new Set(all.filter(({ head }) => head.startsWith(prefix)).map(({ id }) => id));
    if (doomed.size === all.length) {
      table.clear();
      return;
    }
    for (const segment of doomed.size === 0 ? [] : table.segments) {
      for (let slot = 0; slot < segment.capacity; slot++) {
        if (segment.isHeld(slot) && doomed.has(segment.family(slot))) table.release(segment, slot);
      }
    }
  }

  #fits(spot: Spot, claim: Claim, now: StorageInstant): boolean {
    const { policy, cost } = claim;
    if (!isPlainWindow(policy)) return this.#testState(spot, claim, now).allowed;
    const { slot } = spot;
    const isOpen = slot >= 0 && this.#segment.expiresAt(slot) > now;
    const count = isOpen ? this.#segment.value(slot) : 0;
    return count + cost <= policy.limit.amount && policy.limit.amount > 0;
  }

  #chargeAt(spot: Spot, claim: Claim, now: StorageInstant): Verdict {
    const isPlain = isPlainWindow(claim.policy);
    return isPlain ? this.#chargeWindow(spot, claim, now) : this.#chargeState(spot, claim, now);
  }

  /** Hot. */
  #chargeWindow(spot: Spot, { policy, cost }: Claim, now: StorageInstant): Verdict {
    const { amount, windowMs } = policy.limit;
    const { slot } = spot;
    const segment = this.#segment;
    const expiresAt = slot >= 0 ? segment.expiresAt(slot) : 0;
    const isOpen = expiresAt > now;
    const endsAt = isOpen ? expiresAt : now + windowMs;
    const before = isOpen ? segment.value(slot) : 0;
    const count = before + cost;
    if (count > amount || amount === 0) {
      if (isOpen) segment.flag(slot, HAS_REFUSED, before === amount);
      return windowRefuses(policy, before, endsAt, cost, now);
    }
    if (slot >= 0 && count > 0) {
      if (isOpen) segment.setNumber(slot, count);
      else segment.setValue(slot, count, endsAt);
      if (segment.has(slot, HAS_REFUSED)) segment.flag(slot, HAS_REFUSED, false);
    } else if (count > 0) {
      const seat = this.#seat(spot, count / amount, now);
      this.#segment.setValue(seat, count, endsAt);
      this.upkeep.sweep(SLOTS_SWEPT_PER_NEW_KEY, now);
    }
    return windowHasRoom(policy, count, endsAt, now);
  }

  #chargeState(spot: Spot, { policy, cost }: Claim, now: StorageInstant): Verdict {
    const { strategy } = policy;
    const slot = this.#liveSlot(spot, now);
    const before = slot < 0 ? this.#states.none(policy) : this.#states.read(this.#segment, slot, policy);
    const verdict = strategy.hit(before, policy, cost, now);
    const { state, expiresAt, allowed, remaining } = verdict;
    if (state === undefined) {
      if (slot >= 0) this.#table.release(this.#segment, slot);
    } else if (slot >= 0) {
      this.#states.write(this.#segment, slot, policy, state, expiresAt);
      this.#segment.flag(slot, HAS_REFUSED, !allowed && remaining === 0);
    } else {
      const isFull = this.#table.size >= this.#maxKeys;
      const seat = this.#seat(spot, isFull ? strategy.debt(state, policy, now) : 0, now);
      this.#states.write(this.#segment, seat, policy, state, expiresAt);
      this.upkeep.sweep(SLOTS_SWEPT_PER_NEW_KEY, now);
    }
    return verdictOf(verdict);
  }

  #testAt(spot: Spot, claim: Claim, now: StorageInstant): Verdict {
    return verdictOf(this.#testState(spot, claim, now));
  }

  #testState(spot: Spot, { policy, cost }: Claim, now: StorageInstant): Verdict {
    const slot = this.#liveSlot(spot, now);
    const state = slot < 0 ? undefined : this.#states.read(this.#segment, slot, policy);
    return policy.strategy.test(state, policy, cost, now);
  }

  #spotOf(index: number): Spot {
    let spot = this.#spots[index];
    if (spot === undefined) {
      spot = this.#places.spot();
      this.#spots.push(spot);
    }
    return spot;
  }

  /** Where the claim's counter is, expired or not, or may be. */
  #find(claim: Claim, spot: Spot = this.#alone): Spot {
    this.#places.locate(claim, spot);
    this.#look(spot);
    return spot;
  }

  #look(spot: Spot): void {
    this.#segment = this.#table.segmentOf(spot.high);
    spot.slot = this.#segment.find(spot.low, spot.high, this.#places.familyId(spot.place));
  }

  /** The spot's slot; an expired counter is released. */
  #liveSlot(spot: Spot, now: StorageInstant): number {
    const { slot } = spot;
    if (slot < 0 || this.#segment.expiresAt(slot) > now) return slot;
    this.#table.release(this.#segment, slot);
    spot.slot = ~slot;
    return spot.slot;
  }

  /** Gives the spot's counter a slot. Its value is to be written, before anything else happens. */
  #seat({ place, low, high, slot: notFound }: Spot, debt: number, now: StorageInstant): number {
    const table = this.#table;
    const slot = table.reserve(this.#segment, ~notFound, low, high, now);
    if (table.size >= this.#maxKeys) this.upkeep.makeRoom(debt, now);
    this.#segment = table.segmentOf(high);
    this.#segment.take(slot, low, high, this.#places.join(place));
    table.size++;
    table.changes++;
    this.#onNewKey();
    return slot;
  }
}
