import type { StorageInstant } from "../core/strategy.js";
import type { BlockArena } from "./block-arena.js";
import { IS_WIDE, type Segment } from "./segment.js";

/** Numbers from here on do not fit into a slot. */
export const SLOT_NUMBERS: number = 2 ** 32;

/** One slot's value, opened: a number and an instant, or a block of the arena and the instant. */
export class Cell {
  readonly arena: BlockArena;
  /** The number, or where the state is wide the block that holds it. */
  value = 0;
  expiresAt: StorageInstant = 0;
  isWide = false;

  constructor(arena: BlockArena) {
    this.arena = arena;
  }

  /** Of a counter that is not there yet. */
  openEmpty(): void {
    this.value = 0;
    this.expiresAt = 0;
    this.isWide = false;
  }

  open(segment: Segment, slot: number): void {
    this.value = segment.value(slot);
    this.expiresAt = segment.expiresAt(slot);
    this.isWide = segment.has(slot, IS_WIDE);
  }

  close(segment: Segment, slot: number): void {
    segment.setValue(slot, this.value, this.expiresAt);
    segment.flag(slot, IS_WIDE, this.isWide);
  }

  /** A state of one number: in the slot if it is a whole number below 2^32, else in a block. */
  setNumber(value: number): void {
    if (value < 0 || value >= SLOT_NUMBERS) {
      this.setNumbers(value);
      return;
    }
    this.drop();
    this.value = value;
  }

  /** A state that a block holds. Replaces another block, which the caller gives back. */
  setBlock(block: number): void {
    this.value = block;
    this.isWide = true;
  }

  /** A state of up to three numbers. Hot: written one by one, which takes a fraction of what `set` does. */
  setNumbers(first: number, second = 0, third = 0): void {
    if (!this.isWide) this.setBlock(this.arena.take(3));
    const array = this.arena.arrayOf(this.value);
    const offset = this.arena.offsetOf(this.value);
    array[offset] = first;
    array[offset + 1] = second;
    array[offset + 2] = third;
  }

  /** What `setNumber` took. */
  get single(): number {
    return this.isWide ? this.number(0) : this.value;
  }

  /** One of several numbers. */
  number(index: number): number {
    return this.arena.arrayOf(this.value)[this.arena.offsetOf(this.value) + index] ?? 0;
  }

  /** Gives its block back, if it has one. */
  drop(): void {
    if (this.isWide) this.arena.give(this.value);
    this.isWide = false;
  }
}
