import type { StorageInstant } from "../core/strategy.js";
import type { BlockArena } from "./block-arena.js";
import { type Cell, SLOT_NUMBERS } from "./cell.js";

/** Before the ring: where it begins, how many entries it has, the sum of their costs. */
const HEAD = 0;
const LENGTH = 1;
const TOTAL = 2;
const HEADER_LENGTH = 3;

const ENTRY_WIDTH = 2;
const NO_BLOCK = -1;

/**
 * The log of the moving window where numbers are all there is: an `InstantLog` over a slot's cell.
 *
 * One entry fits into the slot itself: its cost is the number, its instant one window before the expiry. More
 * form a ring in a block of the arena, which is replaced by one of twice the size when it is full. The same
 * object serves one slot after the other.
 */
export class SlotLog {
  readonly #arena: BlockArena;
  readonly #single = new Float64Array(HEADER_LENGTH + ENTRY_WIDTH);
  #array: Float64Array = this.#single;
  #offset = 0;
  #capacity = 1;
  #block = NO_BLOCK;

  constructor(arena: BlockArena) {
    this.#arena = arena;
  }

  /** Reads a cell; an empty one is an empty log. */
  open(cell: Cell, windowMs: number): void {
    if (cell.isWide) {
      this.#open(cell.value);
      return;
    }
    this.#block = NO_BLOCK;
    this.#array = this.#single;
    this.#offset = 0;
    this.#capacity = 1;
    this.#set(HEAD, 0);
    this.#set(LENGTH, cell.value > 0 ? 1 : 0);
    this.#set(TOTAL, cell.value);
    this.#put(0, cell.expiresAt - windowMs, cell.value);
  }

  /** Writes to a cell what was not written in place. */
  close(cell: Cell): void {
    if (this.#block === NO_BLOCK && this.total >= SLOT_NUMBERS) this.#grow();
    if (this.#block === NO_BLOCK) cell.setNumber(this.total);
    else cell.setBlock(this.#block);
  }

  /** Sum of all costs in the log. */
  get total(): number {
    return this.#get(TOTAL);
  }

  get oldest(): StorageInstant | undefined {
    return this.#length === 0 ? undefined : this.#instant(0);
  }

  get newest(): StorageInstant | undefined {
    return this.#length === 0 ? undefined : this.#instant(this.#length - 1);
  }

  dropUntil(instant: StorageInstant): void {
    let dropped = 0;
    let total = this.total;
    while (dropped < this.#length && this.#instant(dropped) <= instant) total -= this.#cost(dropped++);
    if (dropped === 0) return;
    this.#set(HEAD, (this.#get(HEAD) + dropped) % this.#capacity);
    this.#set(LENGTH, this.#length - dropped);
    this.#set(TOTAL, total);
  }

  clampTo(instant: StorageInstant): void {
    for (let i = this.#length - 1; i >= 0 && this.#instant(i) > instant; i--) {
      this.#put(i, instant, this.#cost(i));
    }
  }

  append(instant: StorageInstant, cost: number): void {
    const last = this.#length - 1;
    const isSameInstant = last >= 0 && this.#instant(last) === instant;
    if (!isSameInstant && this.#length === this.#capacity) this.#grow();
    this.#set(TOTAL, this.total + cost);
    if (isSameInstant) {
      this.#put(last, instant, this.#cost(last) + cost);
      return;
    }
    this.#set(LENGTH, last + 2);
    this.#put(last + 1, instant, cost);
  }

  remove(instant: StorageInstant, cost: number): void {
    const index = this.#indexOf(instant);
    if (index < 0) return;
    const logged = this.#cost(index);
    const taken = Math.min(cost, logged);
    this.#set(TOTAL, this.total - taken);
    this.#put(index, instant, logged - taken);
    if (taken === logged) this.#delete(index);
  }

  instantOfUnit(units: number): StorageInstant {
    let left = units;
    let index = 0;
    while (index < this.#length - 1 && left > this.#cost(index)) left -= this.#cost(index++);
    return this.#instant(index);
  }

  get #length(): number {
    return this.#get(LENGTH);
  }

  #open(block: number): void {
    this.#block = block;
    this.#array = this.#arena.arrayOf(block);
    this.#offset = this.#arena.offsetOf(block);
    this.#capacity = Math.floor((this.#arena.lengthOf(block) - HEADER_LENGTH) / ENTRY_WIDTH);
  }

  #get(index: number): number {
    return this.#array[this.#offset + index] ?? 0;
  }

  #set(index: number, value: number): void {
    this.#array[this.#offset + index] = value;
  }

  #entry(index: number): number {
    const place = this.#get(HEAD) + index;
    return HEADER_LENGTH + (place < this.#capacity ? place : place - this.#capacity) * ENTRY_WIDTH;
  }

  #instant(index: number): StorageInstant {
    return this.#get(this.#entry(index));
  }

  #cost(index: number): number {
    return this.#get(this.#entry(index) + 1);
  }

  #put(index: number, instant: StorageInstant, cost: number): void {
    const entry = this.#entry(index);
    this.#set(entry, instant);
    this.#set(entry + 1, cost);
  }

  #grow(): void {
    const length = this.#length;
    const entries: number[] = [];
    for (let i = 0; i < length; i++) entries.push(this.#instant(i), this.#cost(i));
    const total = this.total;
    const outgrown = this.#block;
    this.#open(this.#arena.take(HEADER_LENGTH + (length + 1) * ENTRY_WIDTH));
    if (outgrown !== NO_BLOCK) this.#arena.give(outgrown);
    this.#array.set([0, length, total], this.#offset);
    this.#array.set(entries, this.#offset + HEADER_LENGTH);
  }

  #indexOf(instant: StorageInstant): number {
    let low = 0;
    let high = this.#length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.#instant(middle);
      if (found === instant) return middle;
      if (found < instant) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  #delete(index: number): void {
    const last = this.#length - 1;
    for (let i = index; i < last; i++) this.#put(i, this.#instant(i + 1), this.#cost(i + 1));
    this.#set(LENGTH, last);
  }
}
