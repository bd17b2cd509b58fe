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

/** A segment takes no more slots into use than this part of them: beyond it probes get long. */
const HIGHEST_LOAD = 0.82;

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

  /** Bytes of its arrays: 28 for each slot. */
  get bytes(): number {
    return this.tags.byteLength + this.values.byteLength;
  }

  /** No slot may be taken any more: time for more slots, or fewer dead ones. */
  get isFull(): boolean {
    return this.used >= Math.floor(this.capacity * HIGHEST_LOAD);
  }

  /**
   * The slot of this counter, expired or not. When there is none the complement (`~`) of the slot that it may
   * have: the first on the way that is dead, or the empty one at its end. Hot.
   */
  find(low: number, high: number, family: number): number {
    const { tags, capacity } = this;
    let slot = ((low >>> 16) * capacity) >>> 16;
    let free = -1;
    for (; ; slot = slot + 1 === capacity ? 0 : slot + 1) {
      const at = slot * TAG_WIDTH;
      const mark = tags[at + 2] ?? EMPTY;
      if (tags[at] === low && tags[at + 1] === high && mark >> FAMILY_SHIFT === family) return slot;
      if (mark > DEAD) continue;
      if (free < 0) free = slot;
      if (mark === EMPTY) return ~free;
    }
  }

  isEmpty(slot: number): boolean {
    return this.#mark(slot) === EMPTY;
  }

  /** Is there a counter, expired or not? */
  isHeld(slot: number): boolean {
    return this.#mark(slot) > DEAD;
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

  /** All slots empty, and so many of them, in new arrays: the old ones are the other segment's now. */
  moveOut(to: Segment, capacity: number): void {
    to.capacity = this.capacity;
    to.tags = this.tags;
    to.values = this.values;
    this.used = 0;
    this.held = 0;
    this.capacity = capacity;
    this.tags = new Int32Array(capacity * TAG_WIDTH);
    this.values = new Float64Array(capacity * VALUE_WIDTH);
  }

  /** All slots empty; copies of them are in the other segment's arrays, which should be no smaller. */
  copyOut(to: Segment): void {
    if (to.tags.length < this.tags.length) {
      to.tags = new Int32Array(this.tags.length);
      to.values = new Float64Array(this.values.length);
    }
    to.capacity = this.capacity;
    to.tags.set(this.tags);
    to.values.set(this.values);
    this.used = 0;
    this.held = 0;
    this.tags.fill(EMPTY);
  }

  /**
   * Copies counters from another segment: those whose fingerprint has this value at the bit, or all of them.
   * They must be strangers here, and there must be room. Hot where a table grows.
   */
  adopt(from: Segment, bit = 0, value?: 0 | 1): number {
    const { tags, values, capacity } = this;
    let adopted = 0;
    for (let slot = 0; slot < from.capacity; slot++) {
      const at = slot * TAG_WIDTH;
      const mark = from.tags[at + 2] ?? EMPTY;
      const high = from.tags[at + 1] ?? 0;
      if (mark <= DEAD || (value !== undefined && ((high >>> bit) & 1) !== value)) continue;
      const low = from.tags[at] ?? 0;
      let to = ((low >>> 16) * capacity) >>> 16;
      while (tags[to * TAG_WIDTH + 2] !== EMPTY) to = to + 1 === capacity ? 0 : to + 1;
      tags[to * TAG_WIDTH] = low;
      tags[to * TAG_WIDTH + 1] = high;
      tags[to * TAG_WIDTH + 2] = mark;
      values[to * VALUE_WIDTH] = from.values[slot * VALUE_WIDTH] ?? 0;
      values[to * VALUE_WIDTH + 1] = from.values[slot * VALUE_WIDTH + 1] ?? 0;
      adopted++;
    }
    this.used += adopted;
    this.held += adopted;
    return adopted;
  }

  /** How many counters have a 1 at this bit of their fingerprint. */
  heldWithBit(bit: number): number {
    let held = 0;
    for (let slot = 0; slot < this.capacity; slot++) {
      if (this.isHeld(slot)) held += (this.#high(slot) >>> bit) & 1;
    }
    return held;
  }

  #high(slot: number): number {
    return this.tags[slot * TAG_WIDTH + 1] ?? 0;
  }

  #mark(slot: number): number {
    return this.tags[slot * TAG_WIDTH + 2] ?? EMPTY;
  }
}
