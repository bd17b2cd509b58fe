import type { StorageInstant } from "../core/strategy.js";

/** What the third number of a slot's tag says when it holds no counter. */
const EMPTY = 0;
const DEAD = 1;

/** The lowest bits of the third number; the rest is the family's id, from 1. */
export const IS_WIDE = 1;
export const HAS_REFUSED = 2;
export const FAMILY_SHIFT = 2;

const TAG_WIDTH = 3;
const VALUE_WIDTH = 2;

/** Bytes of one slot: three 32-bit numbers and two doubles. */
export const SLOT_BYTES: number = TAG_WIDTH * 4 + VALUE_WIDTH * 8;

/** A segment takes no more slots into use than this part of them: beyond it probes get long. */
const HIGHEST_LOAD = 0.8;

/**
 * A small hash table of its own: open addressing, linear probing.
 *
 * A slot is a tag and a value. The tag: both halves of the fingerprint, then family and flags, or `EMPTY` (a
 * probe ends here), or `DEAD` (a probe goes on, a newcomer may sit down). The value: a number whose meaning is
 * the strategy's, and the instant at which the counter expires.
 */
export class Segment {
  /** So many of the fingerprint's upper bits are the same in all its counters. */
  depth: number;
  capacity: number;
  tags: Int32Array;
  values: Float64Array;
  /** Slots that are not empty, and those among them that hold a counter. */
  used = 0;
  held = 0;

  constructor(capacity: number, depth: number) {
    this.depth = depth;
    this.capacity = capacity;
    this.tags = new Int32Array(capacity * TAG_WIDTH);
    this.values = new Float64Array(capacity * VALUE_WIDTH);
  }

  /** No slot may be taken any more: time for more slots, or fewer dead ones. */
  get isFull(): boolean {
    return this.used >= Math.floor(this.capacity * HIGHEST_LOAD);
  }

  /** The slot of this counter, expired or not; -1 when there is none. Hot. */
  find(low: number, high: number, family: number): number {
    const { tags, capacity } = this;
    let slot = ((low >>> 16) * capacity) >>> 16;
    for (;;) {
      const at = slot * TAG_WIDTH;
      const mark = tags[at + 2] ?? EMPTY;
      if (mark === EMPTY) return -1;
      if (tags[at] === low && tags[at + 1] === high && mark >> FAMILY_SHIFT === family) return slot;
      slot = slot + 1 === capacity ? 0 : slot + 1;
    }
  }

  /** The first slot on the way that a newcomer may have: empty, dead or expired. */
  findRoom(low: number, now: StorageInstant): number {
    const { capacity } = this;
    let slot = ((low >>> 16) * capacity) >>> 16;
    while (this.isHeld(slot) && this.expiresAt(slot) > now) slot = slot + 1 === capacity ? 0 : slot + 1;
    return slot;
  }

  isEmpty(slot: number): boolean {
    return this.#mark(slot) === EMPTY;
  }

  /** Is there a counter, expired or not? */
  isHeld(slot: number): boolean {
    return this.#mark(slot) > DEAD;
  }

  low(slot: number): number {
    return this.tags[slot * TAG_WIDTH] ?? 0;
  }

  high(slot: number): number {
    return this.tags[slot * TAG_WIDTH + 1] ?? 0;
  }

  family(slot: number): number {
    return this.#mark(slot) >> FAMILY_SHIFT;
  }

  has(slot: number, flag: number): boolean {
    return (this.#mark(slot) & flag) !== 0;
  }

  flag(slot: number, flag: number, isSet: boolean): void {
    const mark = this.#mark(slot);
    this.tags[slot * TAG_WIDTH + 2] = isSet ? mark | flag : mark & ~flag;
  }

  value(slot: number): number {
    return this.values[slot * VALUE_WIDTH] ?? 0;
  }

  expiresAt(slot: number): StorageInstant {
    return this.values[slot * VALUE_WIDTH + 1] ?? 0;
  }

  setValue(slot: number, value: number, expiresAt: StorageInstant): void {
    this.values[slot * VALUE_WIDTH] = value;
    this.values[slot * VALUE_WIDTH + 1] = expiresAt;
  }

  /** Seats a counter in a slot that holds none. */
  take(slot: number, low: number, high: number, family: number): void {
    if (this.isEmpty(slot)) this.used++;
    this.held++;
    const at = slot * TAG_WIDTH;
    this.tags[at] = low;
    this.tags[at + 1] = high;
    this.tags[at + 2] = family << FAMILY_SHIFT;
  }

  /** The counter goes; probes still pass, so what sits behind it is found. */
  leave(slot: number): void {
    this.held--;
    this.tags[slot * TAG_WIDTH + 2] = DEAD;
  }

  /** All slots empty, and so many of them. */
  empty(capacity: number): void {
    this.used = 0;
    this.held = 0;
    if (capacity === this.capacity) {
      this.tags.fill(EMPTY);
      return;
    }
    this.capacity = capacity;
    this.tags = new Int32Array(capacity * TAG_WIDTH);
    this.values = new Float64Array(capacity * VALUE_WIDTH);
  }

  /** Copies a whole slot of another segment to the first empty one on its way. */
  adopt(from: Segment, slot: number): void {
    const { capacity } = this;
    const low = from.low(slot);
    let to = ((low >>> 16) * capacity) >>> 16;
    while (!this.isEmpty(to)) to = to + 1 === capacity ? 0 : to + 1;
    this.used++;
    this.held++;
    this.copy(to, from, slot);
  }

  /** Copies a whole slot of another segment to this one, whatever is there. */
  copy(to: number, from: Segment, slot: number): void {
    for (let i = 0; i < TAG_WIDTH; i++) {
      this.tags[to * TAG_WIDTH + i] = from.tags[slot * TAG_WIDTH + i] ?? 0;
    }
    this.setValue(to, from.value(slot), from.expiresAt(slot));
  }

  #mark(slot: number): number {
    return this.tags[slot * TAG_WIDTH + 2] ?? EMPTY;
  }
}
