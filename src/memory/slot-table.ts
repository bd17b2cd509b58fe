import type { StorageInstant } from "../core/strategy.js";
import { BlockArena } from "./block-arena.js";
import { Families } from "./families.js";
import { Fingerprint } from "./fingerprint.js";
import { IS_WIDE, Segment, SLOT_BYTES } from "./segment.js";

/** Sizes of a {@link SlotTable}. Tests make them tiny, so that what is rare happens. */
export interface TableShape {
  /** A segment that would need more slots is split. */
  readonly mostSlots: number;
  /** Segments have a multiple of this many slots. */
  readonly slotStep: number;
  /** So many bits at most choose a segment; beyond, segments grow without a bound. */
  readonly mostDepth: number;
  readonly fingerprint?: Fingerprint;
}

const DEFAULT_SHAPE: TableShape = { mostSlots: 4096, slotStep: 64, mostDepth: 16 };

/** How much of a segment is used when it was laid out anew. */
const FRESH_LOAD = 0.64;

/**
 * All counters: segments that are found by the upper bits of a fingerprint, as in extendible hashing.
 *
 * A segment that is full is laid out anew on its own, larger, smaller or as two: at most `mostSlots` slots are
 * moved at once, however many counters there are. `docs/memory-storage.md` has a picture.
 *
 * Source: Fagin, Nievergelt, Pippenger, Strong, "Extendible Hashing", 1979.
 */
export class SlotTable {
  readonly families: Families = new Families();
  readonly arena: BlockArena = new BlockArena();
  readonly fingerprint: Fingerprint;
  /** Each segment once. */
  readonly segments: Segment[] = [];
  /** Counters held, expired ones that nobody passed yet included. */
  size = 0;
  /** Slots that were moved since the start. */
  moved = 0;
  readonly #shape: TableShape;
  /** By the `#depth` upper bits of a fingerprint; a segment of a lower depth is there more than once. */
  #directory: Segment[] = [];
  #depth = 0;
  readonly #scratch: Segment;

  constructor(shape: TableShape = DEFAULT_SHAPE) {
    this.#shape = shape;
    this.#scratch = new Segment(0, 0);
    this.fingerprint = shape.fingerprint ?? new Fingerprint();
    this.clear();
  }

  /** What it all takes, but for a few objects per segment. */
  get bytes(): number {
    let slots = this.#scratch.capacity;
    for (const segment of this.segments) slots += segment.capacity;
    return slots * SLOT_BYTES + this.#directory.length * 8 + this.arena.bytes;
  }

  /** The segment of a fingerprint. Hot. */
  segmentOf(high: number): Segment {
    const segment = this.#directory[this.#indexOf(high)];
    if (segment === undefined) throw new RangeError("The directory has a hole.");
    return segment;
  }

  /** Makes sure that the fingerprint's segment can take one more; its slot is free then. */
  reserve(low: number, high: number, now: StorageInstant): number {
    for (;;) {
      const segment = this.segmentOf(high);
      const slot = segment.findRoom(low, now);
      if (segment.isHeld(slot)) this.release(segment, slot);
      if (!segment.isEmpty(slot) || !segment.isFull) return slot;
      this.#layOutAnew(segment, high, now);
    }
  }

  /** Forgets the counter in a slot. */
  release(segment: Segment, slot: number): void {
    if (segment.has(slot, IS_WIDE)) this.arena.give(segment.value(slot));
    this.families.leave(segment.family(slot));
    segment.leave(slot);
    this.size--;
  }

  /** Gives back what a segment needs no more, or all of them when nothing is held. */
  shrink(segment: Segment): void {
    if (this.size === 0 && this.segments.length > 1) {
      this.clear();
      return;
    }
    if (segment.held * 4 >= segment.capacity || segment.capacity <= this.#shape.slotStep) return;
    this.#carry(segment);
    segment.empty(this.#capacityFor(this.#scratch.held));
    this.#place(() => segment);
  }

  /** Forgets everything, and gives all memory back. */
  clear(): void {
    this.segments.length = 0;
    this.segments.push(new Segment(this.#shape.slotStep, 0));
    this.#directory = [...this.segments];
    this.#depth = 0;
    this.size = 0;
    this.#scratch.empty(0);
    this.arena.clear();
    this.families.clear();
  }

  #indexOf(high: number): number {
    return (high >>> 1) >>> (31 - this.#depth);
  }

  /** Drops what has expired; then more slots, fewer, or a second segment, as what is left asks for. */
  #layOutAnew(segment: Segment, high: number, now: StorageInstant): void {
    for (let slot = 0; slot < segment.capacity; slot++) {
      if (segment.isHeld(slot) && segment.expiresAt(slot) <= now) this.release(segment, slot);
    }
    this.#carry(segment);
    const capacity = this.#capacityFor(segment.held);
    if (capacity <= this.#shape.mostSlots || segment.depth >= this.#shape.mostDepth) {
      segment.empty(this.#suits(segment) ? segment.capacity : capacity);
      this.#place(() => segment);
      return;
    }
    this.#split(segment, this.#indexOf(high));
  }

  #split(segment: Segment, index: number): void {
    const bit = 31 - segment.depth;
    let upperHeld = 0;
    for (let slot = 0; slot < this.#scratch.held; slot++) upperHeld += (this.#scratch.high(slot) >>> bit) & 1;
    segment.depth++;
    segment.empty(this.#capacityFor(this.#scratch.held - upperHeld));
    const upper = new Segment(this.#capacityFor(upperHeld), segment.depth);
    this.segments.push(upper);
    this.#enter(upper, index);
    this.#place((high) => ((high >>> bit) & 1 ? upper : segment));
  }

  /** The upper half of what the index' segment had belongs to the new one. */
  #enter(upper: Segment, index: number): void {
    let at = index;
    if (upper.depth > this.#depth) {
      this.#directory = this.#directory.flatMap((segment) => [segment, segment]);
      this.#depth++;
      at *= 2;
    }
    const half = 2 ** (this.#depth - upper.depth);
    const start = Math.floor(at / (2 * half)) * 2 * half + half;
    this.#directory.fill(upper, start, start + half);
  }

  /** Copies a segment's counters to the scratch segment, close together. */
  #carry(segment: Segment): void {
    const scratch = this.#scratch;
    if (scratch.capacity < segment.held) scratch.empty(Math.max(segment.held, this.#shape.mostSlots));
    scratch.held = 0;
    for (let slot = 0; slot < segment.capacity; slot++) {
      if (segment.isHeld(slot)) scratch.copy(scratch.held++, segment, slot);
    }
  }

  /** Copies the carried counters to where they belong now. */
  #place(segmentOf: (high: number) => Segment): void {
    const scratch = this.#scratch;
    for (let slot = 0; slot < scratch.held; slot++) segmentOf(scratch.high(slot)).adopt(scratch, slot);
    this.moved += scratch.held;
  }

  /** Neither near full nor far too large: the same arrays can stay. */
  #suits({ held, capacity }: Segment): boolean {
    return held <= capacity * 0.7 && held >= capacity * 0.5;
  }

  #capacityFor(held: number): number {
    const { slotStep } = this.#shape;
    return Math.ceil((held + 1) / FRESH_LOAD / slotStep) * slotStep;
  }
}
