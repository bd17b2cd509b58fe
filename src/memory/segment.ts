import type { StorageInstant } from "../core/strategy.js";

/** What a slot's mark says when it holds no counter. */
const EMPTY = 0;
const DEAD = 1;

/** The lowest bits of a mark; the rest is the family's id, from 1. */
export const IS_WIDE = 1;
export const HAS_REFUSED = 2;
export const FAMILY_SHIFT = 2;

/** A slot is six 32-bit numbers, of which the last two are one double: the expiry. */
const WIDTH = 6;
const HIGH = 1;
const MARK = 2;
const VALUE = 3;
const DOUBLES = 3;
const EXPIRY = 2;

/** A segment takes no more slots into use than this part of them: beyond it probes get long. */
const HIGHEST_LOAD = 0.82;

/**
 * A small hash table of its own: open addressing, linear probing.
 *
 * A slot: both halves of the fingerprint; a mark, which is family and flags, or `EMPTY` (a probe ends here), or
 * `DEAD` (a probe goes on, a newcomer may sit down); a number from 0 to 2^32 - 1 whose meaning is the
 * strategy's; the instant at which the counter expires. All in one place: a hit waits for memory once.
 */
export class Segment {
  /** So many of the fingerprint's upper bits are the same in all its counters. */
  depth: number;
  capacity: number;
  /** Slots that are not empty, and those among them that hold a counter. */
  used = 0;
  held = 0;
  /** No counter in it expires before this instant. */
  earliestExpiryAt: StorageInstant = Number.POSITIVE_INFINITY;
  /** So many slots may be used. */
  #mostUsed: number;
  /** Two views of the same memory. */
  #words: Int32Array;
  #doubles: Float64Array;

  constructor(capacity: number, depth: number) {
    this.depth = depth;
    this.capacity = capacity;
    this.#mostUsed = mostUsedOf(capacity);
    this.#words = new Int32Array(capacity * WIDTH);
    this.#doubles = new Float64Array(this.#words.buffer);
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  /** No slot may be taken any more: time for more slots, or fewer dead ones. */
  get isFull(): boolean {
    return this.used >= this.#mostUsed;
  }

  /**
   * The slot of this counter, expired or not. When there is none the complement (`~`) of the slot that it may
   * have: the first on the way that is dead, or the empty one at its end. Hot.
   */
  find(low: number, high: number, family: number): number {
    const words = this.#words;
    const { capacity } = this;
    let slot = ((low >>> 16) * capacity) >>> 16;
    let free = -1;
    for (; ; slot = slot + 1 === capacity ? 0 : slot + 1) {
      const at = slot * WIDTH;
      const mark = words[at + MARK] ?? EMPTY;
      if (words[at] === low && words[at + HIGH] === high && mark >> FAMILY_SHIFT === family) return slot;
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
    this.#words[slot * WIDTH + MARK] = isSet ? mark | flag : mark & ~flag;
  }

  value(slot: number): number {
    return (this.#words[slot * WIDTH + VALUE] ?? 0) >>> 0;
  }

  expiresAt(slot: number): StorageInstant {
    return this.#doubles[slot * DOUBLES + EXPIRY] ?? 0;
  }

  /** The number alone: what is counted in a window that is open does not move its end. */
  setNumber(slot: number, value: number): void {
    this.#words[slot * WIDTH + VALUE] = value;
  }

  /** A whole number from 0 to 2^32 - 1, and an instant. */
  setValue(slot: number, value: number, expiresAt: StorageInstant): void {
    this.#words[slot * WIDTH + VALUE] = value;
    this.#doubles[slot * DOUBLES + EXPIRY] = expiresAt;
    if (expiresAt < this.earliestExpiryAt) this.earliestExpiryAt = expiresAt;
  }

  /** Seats a counter in a slot that holds none. */
  take(slot: number, low: number, high: number, family: number): void {
    if (this.isEmpty(slot)) this.used++;
    this.held++;
    const at = slot * WIDTH;
    this.#words[at] = low;
    this.#words[at + HIGH] = high;
    this.#words[at + MARK] = family << FAMILY_SHIFT;
  }

  /** The counter goes; probes still pass, so what sits behind it is found. */
  leave(slot: number): void {
    this.held--;
    this.#words[slot * WIDTH + MARK] = DEAD;
  }

  /** All slots empty, and so many of them, in new memory: the old one is the other segment's now. */
  moveOut(to: Segment, capacity: number): void {
    to.capacity = this.capacity;
    to.#words = this.#words;
    to.#doubles = this.#doubles;
    this.#empty(to);
    this.capacity = capacity;
    this.#mostUsed = mostUsedOf(capacity);
    this.#words = new Int32Array(capacity * WIDTH);
    this.#doubles = new Float64Array(this.#words.buffer);
  }

  /** All slots empty; copies of them are in the other segment, whose memory grows if it must. */
  copyOut(to: Segment): void {
    if (to.bytes < this.bytes) to.moveOut(to, this.capacity);
    to.capacity = this.capacity;
    to.#words.set(this.#words);
    this.#empty(to);
    this.#words.fill(0);
  }

  /**
   * Copies counters from another segment: those whose fingerprint has this value at the bit, or all of them.
   * They must be strangers here, and there must be room. Gives their number. Hot where a table grows.
   */
  adopt(from: Segment, bit = 0, value?: 0 | 1): number {
    const words = this.#words;
    const doubles = this.#doubles;
    const source = from.#words;
    const { capacity } = this;
    let adopted = 0;
    for (let slot = 0; slot < from.capacity; slot++) {
      const at = slot * WIDTH;
      const mark = source[at + MARK] ?? EMPTY;
      const high = source[at + HIGH] ?? 0;
      if (mark <= DEAD || (value !== undefined && ((high >>> bit) & 1) !== value)) continue;
      const low = source[at] ?? 0;
      let to = ((low >>> 16) * capacity) >>> 16;
      while (words[to * WIDTH + MARK] !== EMPTY) to = to + 1 === capacity ? 0 : to + 1;
      words[to * WIDTH] = low;
      words[to * WIDTH + HIGH] = high;
      words[to * WIDTH + MARK] = mark;
      words[to * WIDTH + VALUE] = source[at + VALUE] ?? 0;
      doubles[to * DOUBLES + EXPIRY] = from.expiresAt(slot);
      adopted++;
    }
    this.used += adopted;
    this.held += adopted;
    this.earliestExpiryAt = Math.min(this.earliestExpiryAt, from.earliestExpiryAt);
    return adopted;
  }

  /** How many counters have a 1 at this bit of their fingerprint. */
  heldWithBit(bit: number): number {
    let held = 0;
    for (let slot = 0; slot < this.capacity; slot++) {
      if (this.isHeld(slot)) held += ((this.#words[slot * WIDTH + HIGH] ?? 0) >>> bit) & 1;
    }
    return held;
  }

  #mark(slot: number): number {
    return this.#words[slot * WIDTH + MARK] ?? EMPTY;
  }

  /** What was here is there now. */
  #empty(to: Segment): void {
    to.earliestExpiryAt = this.earliestExpiryAt;
    this.earliestExpiryAt = Number.POSITIVE_INFINITY;
    this.used = 0;
    this.held = 0;
  }
}

function mostUsedOf(capacity: number): number {
  return Math.floor(capacity * HIGHEST_LOAD);
}
