import type { Charge, Claim } from "../core/storage.js";
import type { StorageInstant, Verdict } from "../core/strategy.js";
import { type Place, Places } from "./places.js";
import { HAS_REFUSED, type Segment } from "./segment.js";
import { isPlainWindow, SlotStates } from "./slot-states.js";
import type { SlotTable } from "./slot-table.js";
import { Upkeep } from "./upkeep.js";
import { verdictOf, windowHasRoom, windowRefuses } from "./verdicts.js";

/** How many slots are looked at, on each new key, for counters that expired. */
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
  /** The segment of the claim located last. */
  #segment: Segment;

  constructor(table: SlotTable, maxKeys: number, onNewKey: () => void) {
    this.#table = table;
    this.#maxKeys = maxKeys;
    this.#onNewKey = onNewKey;
    this.#places = new Places(table.fingerprint, table.families);
    this.#states = new SlotStates(table.arena);
    this.upkeep = new Upkeep(table);
    this.#segment = table.segmentOf(0);
  }

  /** Would the cost fit? */
  fits(claim: Claim, now: StorageInstant): boolean {
    const { policy, cost } = claim;
    const slot = this.#liveSlot(this.#places.locate(claim), now);
    if (!isPlainWindow(policy)) return this.#testState(claim, slot, now).allowed;
    const count = slot < 0 ? 0 : this.#segment.value(slot);
    return count + cost <= policy.limit.amount && policy.limit.amount > 0;
  }

  /** Says what {@link charge} would say, and charges nothing. */
  test(claim: Claim, now: StorageInstant): Verdict {
    const slot = this.#liveSlot(this.#places.locate(claim), now);
    return verdictOf(this.#testState(claim, slot, now));
  }

  /** Charges the cost if it fits. */
  charge(claim: Claim, now: StorageInstant): Verdict {
    const place = this.#places.locate(claim);
    if (isPlainWindow(claim.policy)) return this.#chargeWindow(claim, place, now);
    return this.#chargeState(claim, place, now);
  }

  /** Takes a charge back. */
  refund({ claim, receipt }: Charge, now: StorageInstant): void {
    const { policy, cost } = claim;
    const slot = this.#liveSlot(this.#places.locate(claim), now);
    if (slot < 0) return;
    const state = this.#states.read(this.#segment, slot, policy);
    const left = policy.strategy.refund(state, policy, cost, receipt, now);
    if (left === undefined) this.#table.release(this.#segment, slot);
    else this.#states.write(this.#segment, slot, policy, left, this.#segment.expiresAt(slot));
  }

  clear(claim: Claim): void {
    const slot = this.#slot(this.#places.locate(claim));
    if (slot >= 0) this.#table.release(this.#segment, slot);
  }

  /** Remembers that a counter stood in somebody's way: it is the last to make room for others. */
  noteRefusal(claim: Claim, { remaining }: Verdict): void {
    const slot = this.#slot(this.#places.locate(claim));
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

  /** Hot. */
  #chargeWindow(claim: Claim, place: Place, now: StorageInstant): Verdict {
    const { policy, cost } = claim;
    const { amount, windowMs } = policy.limit;
    const slot = this.#slot(place);
    const segment = this.#segment;
    const isOpen = slot >= 0 && segment.expiresAt(slot) > now;
    const endsAt = isOpen ? segment.expiresAt(slot) : now + windowMs;
    const before = isOpen ? segment.value(slot) : 0;
    const count = before + cost;
    if (count > amount || amount === 0) {
      if (isOpen) segment.flag(slot, HAS_REFUSED, before === amount);
      return windowRefuses(policy, before, endsAt, cost, now);
    }
    if (slot >= 0 && count > 0) {
      segment.setValue(slot, count, endsAt);
      if (segment.has(slot, HAS_REFUSED)) segment.flag(slot, HAS_REFUSED, false);
    } else if (count > 0) {
      const seat = this.#seat(place, slot, count / amount, now);
      this.#segment.setValue(seat, count, endsAt);
      this.upkeep.sweep(SLOTS_SWEPT_PER_NEW_KEY, now);
    }
    return windowHasRoom(policy, count, endsAt, now);
  }

  #chargeState(claim: Claim, place: Place, now: StorageInstant): Verdict {
    const { policy, cost } = claim;
    const { strategy } = policy;
    const slot = this.#liveSlot(place, now);
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
      const seat = this.#seat(place, slot, isFull ? strategy.debt(state, policy, now) : 0, now);
      this.#states.write(this.#segment, seat, policy, state, expiresAt);
      this.upkeep.sweep(SLOTS_SWEPT_PER_NEW_KEY, now);
    }
    return verdictOf(verdict);
  }

  #testState({ policy, cost }: Claim, slot: number, now: StorageInstant): Verdict {
    const state = slot < 0 ? undefined : this.#states.read(this.#segment, slot, policy);
    return policy.strategy.test(state, policy, cost, now);
  }

  /** The slot of the counter located last, expired or not; the complement of one that it may have. */
  #slot(place: Place): number {
    const { low, high } = this.#places;
    this.#segment = this.#table.segmentOf(high);
    return this.#segment.find(low, high, this.#places.familyId(place));
  }

  /** The slot of the counter located last; an expired one is released. */
  #liveSlot(place: Place, now: StorageInstant): number {
    const slot = this.#slot(place);
    if (slot < 0 || this.#segment.expiresAt(slot) > now) return slot;
    this.#table.release(this.#segment, slot);
    return ~slot;
  }

  /** Gives the counter located last a slot. Its value is to be written, before anything else happens. */
  #seat(place: Place, notFound: number, debt: number, now: StorageInstant): number {
    const { low, high } = this.#places;
    const table = this.#table;
    const slot = table.reserve(~notFound, low, high, now);
    if (table.size >= this.#maxKeys) this.upkeep.makeRoom(debt, now);
    this.#segment = table.segmentOf(high);
    this.#segment.take(slot, low, high, this.#places.join(place));
    table.size++;
    this.#onNewKey();
    return slot;
  }
}
