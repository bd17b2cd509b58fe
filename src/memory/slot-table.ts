import type { StorageInstant } from "../core/strategy.js";
import { BlockArena } from "./block-arena.js";
import { Families, NO_FAMILY } from "./families.js";
import { Fingerprint } from "./fingerprint.js";
import { IS_WIDE, Segment } from "./segment.js";

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
const FRESH_LOAD = 0.56;

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
  /** Counts what makes a slot that was found hold something else: comings, goings and moves. */
  changes = 0;
  readonly #shape: TableShape;
  /** By the `#depth` upper bits of a fingerprint; a segment of a lower depth is there more than once. */
  #directory: Segment[] = [];
  #depth = 0;
  /** Arrays for segments that are laid out anew at the same size, so that no garbage is made. */
  #scratch = new Segment(0, 0);

  constructor(shape: TableShape = DEFAULT_SHAPE) {
    this.#shape = shape;
    this.fingerprint = shape.fingerprint ?? new Fingerprint();
    this.clear();
  }

  /** What it all takes, but for a few objects per segment. */
  get bytes(): number {
    let bytes = this.#directory.length * 8 + this.arena.bytes + this.#scratch.bytes;
    for (const segment of this.segments) bytes += segment.bytes;
    return bytes;
  }

  /** The segment of a fingerprint. Hot. */
  segmentOf(high: number): Segment {
    const segment = this.#directory[this.#indexOf(high)];
    if (segment === undefined) throw new RangeError("The directory has a hole.");
    return segment;
  }

  /**
   * The slot for a newcomer for which `find` offered this one: there, unless its segment is full. Then the
   * newcomer's segment may be another one.
   */
  reserve(segment: Segment, offered: number, low: number, high: number, now: StorageInstant): number {
    if (!segment.isFull || !segment.isEmpty(offered)) return offered;
    this.#layOutAnew(segment, high, now);
    return ~this.segmentOf(high).find(low, high, NO_FAMILY);
  }

  /** Forgets the counter in a slot. */
  release(segment: Segment, slot: number): void {
    if (segment.has(slot, IS_WIDE)) this.arena.give(segment.value(slot));
    this.families.leave(segment.family(slot));
    segment.leave(slot);
    this.size--;
    this.changes++;
  }

  /** Forgets what has expired in a segment. Costs nothing where nothing can have. */
  releaseExpired(segment: Segment, now: StorageInstant): void {
    if (segment.earliestExpiryAt > now) return;
    let earliestAt = Number.POSITIVE_INFINITY;
    for (let slot = 0; slot < segment.capacity; slot++) {
      if (!segment.isHeld(slot)) continue;
      const expiresAt = segment.expiresAt(slot);
      if (expiresAt <= now) this.release(segment, slot);
      else if (expiresAt < earliestAt) earliestAt = expiresAt;
    }
    segment.earliestExpiryAt = earliestAt;
  }

  /** Gives back what a segment needs no more, or all of them when nothing is held. */
  shrink(segment: Segment): void {
    if (this.size === 0 && this.segments.length > 1) {
      this.clear();
      return;
    }
    if (segment.held * 4 >= segment.capacity || segment.capacity <= this.#shape.slotStep) return;
    const old = new Segment(0, 0);
    segment.moveOut(old, this.#capacityFor(segment.held));
    this.moved += segment.adopt(old);
  }

  /** Forgets everything, and gives all memory back. */
  clear(): void {
    this.segments.length = 0;
    this.segments.push(new Segment(this.#shape.slotStep, 0));
    this.#directory = [...this.segments];
    this.#depth = 0;
    this.size = 0;
    this.#scratch = new Segment(0, 0);
    this.arena.clear();
    this.families.clear();
  }

  #indexOf(high: number): number {
    return (high >>> 1) >>> (31 - this.#depth);
  }

  /** Drops what has expired; then more slots, fewer, or a second segment, as what is left asks for. */
  #layOutAnew(segment: Segment, high: number, now: StorageInstant): void {
    this.releaseExpired(segment, now);
    const { held, capacity } = segment;
    if (held <= capacity * 0.7 && held >= capacity * 0.5) {
      segment.copyOut(this.#scratch);
      this.moved += segment.adopt(this.#scratch);
    } else this.#resize(segment, high);
  }

  #resize(segment: Segment, high: number): void {
    const capacity = this.#capacityFor(segment.held);
    if (capacity > this.#shape.mostSlots && segment.depth < this.#shape.mostDepth) {
      this.#split(segment, this.#indexOf(high));
      return;
    }
    const old = new Segment(0, 0);
    segment.moveOut(old, capacity);
    this.moved += segment.adopt(old);
  }

  #split(segment: Segment, index: number): void {
    const bit = 31 - segment.depth;
    const upperHeld = segment.heldWithBit(bit);
    const lowerHeld = segment.held - upperHeld;
    const old = new Segment(0, 0);
    segment.moveOut(old, this.#capacityFor(lowerHeld));
    segment.depth++;
    const upper = new Segment(this.#capacityFor(upperHeld), segment.depth);
    this.segments.push(upper);
    this.#enter(upper, index);
    this.moved += segment.adopt(old, bit, 0) + upper.adopt(old, bit, 1);
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

  #capacityFor(held: number): number {
    const { slotStep } = this.#shape;
    return Math.ceil((held + 1) / FRESH_LOAD / slotStep) * slotStep;
  }
}
