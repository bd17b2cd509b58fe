import type { StorageInstant } from "../core/strategy.js";
import { HAS_REFUSED, type Segment } from "./segment.js";
import { isPlainWindow, SlotStates } from "./slot-states.js";
import type { SlotTable } from "./slot-table.js";

/** Among so many counters the one that matters least makes room. */
const CANDIDATES = 16;

/** So many are looked at when the first ones all matter more than the newcomer. */
const MOST_CANDIDATES = 256;

/** A hand that goes round all slots: it clears away what has expired, and makes room when there is none. */
export class Upkeep {
  readonly #table: SlotTable;
  /** Of its own: the newcomer's state is read while candidates are. */
  readonly #states: SlotStates;
  #segmentIndex = 0;
  /** The next one. */
  #slot = 0;
  #evicted = 0;

  constructor(table: SlotTable) {
    this.#table = table;
    this.#states = new SlotStates(table.arena);
  }

  /** How many live counters had to make room. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Passes so many slots. Shrinks a segment that it leaves nearly empty. */
  sweep(slots: number, now: StorageInstant): void {
    const segment = this.#segment();
    const end = Math.min(this.#slot + slots, segment.capacity);
    for (let slot = this.#slot; slot < end; slot++) {
      if (isExpired(segment, slot, now)) this.#table.release(segment, slot);
    }
    this.#slot = end;
    if (end < segment.capacity) return;
    this.#slot = 0;
    this.#segmentIndex++;
    this.#table.shrink(segment);
  }

  /** Drops the first expired counter that the hand meets, else of some the one that matters least. */
  makeRoom(newcomersDebt: number, now: StorageInstant): void {
    let [victim, victimsSlot, least] = [this.#segment(), -1, Number.POSITIVE_INFINITY];
    const most = Math.min(MOST_CANDIDATES, this.#table.size);
    const few = Math.min(CANDIDATES, most);
    for (let seen = 0; seen < (least > newcomersDebt ? most : few); ) {
      const segment = this.#segment();
      const slot = this.#slot++;
      if (!segment.isHeld(slot)) continue;
      if (segment.expiresAt(slot) <= now) {
        this.#table.release(segment, slot);
        return;
      }
      seen++;
      const weight = this.#weight(segment, slot, now);
      if (weight < least) [victim, victimsSlot, least] = [segment, slot, weight];
    }
    this.#table.release(victim, victimsSlot);
    this.#evicted++;
  }

  /** What would be forgiven, from 0 to 1; above 1 for whom forgetting would set free. */
  #weight(segment: Segment, slot: number, now: StorageInstant): number {
    const { policy } = this.#table.families.at(segment.family(slot));
    if (policy.strategy.name === "block") return 2;
    const debt = isPlainWindow(policy)
      ? segment.value(slot) / policy.limit.amount
      : policy.strategy.debt(this.#states.read(segment, slot, policy), policy, now);
    return segment.has(slot, HAS_REFUSED) ? 1 + debt : debt;
  }

  /** The segment in which the next slot is. */
  #segment(): Segment {
    const { segments } = this.#table;
    let segment = segments[this.#segmentIndex];
    if (segment !== undefined && this.#slot < segment.capacity) return segment;
    this.#slot = 0;
    this.#segmentIndex = this.#segmentIndex + 1 < segments.length ? this.#segmentIndex + 1 : 0;
    segment = segments[this.#segmentIndex];
    if (segment === undefined) throw new RangeError("The table has no segment.");
    return segment;
  }
}

function isExpired(segment: Segment, slot: number, now: StorageInstant): boolean {
  return segment.isHeld(slot) && segment.expiresAt(slot) <= now;
}
