import type { StorageInstant } from "../core/strategy.js";
import { HAS_REFUSED, type Segment } from "./segment.js";
import { isPlainWindow, SlotStates } from "./slot-states.js";
import type { SlotTable } from "./slot-table.js";

/** Among so many counters the one that matters least makes room. */
const CANDIDATES = 16;

/** So many are looked at when the first ones all matter more than the newcomer. */
const MOST_CANDIDATES = 256;

/** Clears away what has expired, and makes room when there is none. One hand goes round for each. */
export class Upkeep {
  readonly #table: SlotTable;
  /** Of its own: the newcomer's state is read while candidates are. */
  readonly #states: SlotStates;
  /** The segment that is swept next, and how many slots may be swept. */
  #sweptIndex = 0;
  #slotsDue = 0;
  /** The next slot that may have to make room. */
  #segmentIndex = 0;
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

  /**
   * So many slots more are due; once they make a whole segment, it is swept in one go.
   *
   * Hot: slot by slot, each new key would wait for memory that nothing else has read for long.
   */
  sweep(slots: number, now: StorageInstant): void {
    this.#slotsDue += slots;
    if (this.#slotsDue < this.#sweptNext().capacity) return;
    this.#slotsDue = 0;
    this.sweepSegment(now);
  }

  /**
   * Drops what has expired in the next segment, and shrinks one that has been nearly empty since the last
   * round: where keys come back as soon as they went, memory is not given away to be asked for again.
   */
  sweepSegment(now: StorageInstant): void {
    const segment = this.#sweptNext();
    this.#sweptIndex = this.#sweptIndex + 1 < this.#table.segments.length ? this.#sweptIndex + 1 : 0;
    this.#table.shrink(segment);
    this.#table.releaseExpired(segment, now);
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

  #sweptNext(): Segment {
    return this.#table.segments[this.#sweptIndex] ?? this.#table.segmentOf(0);
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
