import type { BlockState } from "../core/strategies/block.js";
import type { FixedWindowState } from "../core/strategies/fixed-window.js";
import type { SlidingWindowState } from "../core/strategies/sliding-window-counter.js";
import type { TokenBucketState } from "../core/strategies/token-bucket.js";
import type { Policy, StorageInstant, Strategy } from "../core/strategy.js";
import type { BlockArena } from "./block-arena.js";
import { Cell, SLOT_NUMBERS } from "./cell.js";
import type { Segment } from "./segment.js";
import { SlotLog } from "./slot-log.js";

/** How a strategy's state lies in a slot. */
interface Layout<State extends object> {
  read(cell: Cell, policy: Policy): State;
  /** The cell's expiry is set already. */
  write(cell: Cell, state: State, policy: Policy): void;
}

/** The number is the count; the window ends when the counter expires. */
const fixedWindowLayout: Layout<FixedWindowState> = {
  read: (cell) => ({ count: cell.single, endsAt: cell.expiresAt }),
  write: (cell, { count }) => cell.setNumber(count),
};

/** Nothing but the expiry. */
const blockLayout: Layout<BlockState> = {
  read: ({ expiresAt }) => ({ until: expiresAt }),
  write: (cell) => cell.setNumber(0),
};

/**
 * As long as nothing was refunded, one instant says all. The expiry is that instant, rounded up to a
 * millisecond; the number is by how many ticks.
 */
const tokenBucketLayout: Layout<TokenBucketState> = {
  read(cell, { ticksPerMs }) {
    if (cell.isWide) return { fullAt: cell.number(0), refunded: cell.number(1), keepUntil: cell.number(2) };
    const fullAt = cell.expiresAt * ticksPerMs - cell.value;
    return { fullAt, refunded: 0, keepUntil: fullAt };
  },
  write(cell, { fullAt, refunded, keepUntil }, { ticksPerMs }) {
    const roundedBy = cell.expiresAt * ticksPerMs - fullAt;
    const isPlain = refunded === 0 && fullAt === keepUntil && roundedBy >= 0 && roundedBy < SLOT_NUMBERS;
    if (isPlain) cell.setNumber(roundedBy);
    else cell.setNumbers(fullAt, refunded, keepUntil);
  },
};

/** Two counts below this share a slot's number. */
const HALF = 2 ** 16;

/** Both counts in one number where they fit; the start follows from the expiry. */
const slidingWindowLayout: Layout<SlidingWindowState> = {
  read(cell, { limit }) {
    const previous = cell.isWide ? cell.number(0) : Math.floor(cell.value / HALF);
    const current = cell.isWide ? cell.number(1) : cell.value % HALF;
    return { previous, current, startsAt: cell.expiresAt - weighingMs(current, limit.windowMs) };
  },
  write(cell, { previous, current, startsAt }, { limit }) {
    cell.expiresAt = startsAt + weighingMs(current, limit.windowMs);
    if (previous < HALF && current < HALF) cell.setNumber(previous * HALF + current);
    else cell.setNumbers(previous, current);
  },
};

/** Fixed windows whose counts always fit into a slot's number: they are decided without a state object. */
export function isPlainWindow({ strategy, limit }: Policy): boolean {
  return strategy.name === "fixed-window" && limit.amount < SLOT_NUMBERS;
}

/** How long after its start a window still weighs: its own count does so during the one after it, too. */
function weighingMs(current: number, windowMs: number): number {
  return current === 0 ? windowMs : 2 * windowMs;
}

/** Turns slots into the states that strategies take, and back. */
export class SlotStates {
  readonly #cell: Cell;
  readonly #log: SlotLog;
  readonly #layouts: Readonly<Record<Strategy["name"], Layout<object>>>;

  constructor(arena: BlockArena) {
    this.#cell = new Cell(arena);
    this.#log = new SlotLog(arena);
    this.#layouts = {
      "fixed-window": fixedWindowLayout,
      "sliding-window-counter": slidingWindowLayout,
      "token-bucket": tokenBucketLayout,
      "moving-window": logLayout(this.#log),
      block: blockLayout,
    };
  }

  /** What a counter that is not there starts from. */
  none(policy: Policy): object | undefined {
    this.#cell.openEmpty();
    if (policy.strategy.name !== "moving-window") return undefined;
    this.#log.open(this.#cell, policy.limit.windowMs);
    return this.#log;
  }

  /** The state in a slot; good until the next is read, and until it is written. */
  read(segment: Segment, slot: number, policy: Policy): object {
    this.#cell.open(segment, slot);
    return this.#layouts[policy.strategy.name].read(this.#cell, policy);
  }

  /** Writes the state that followed from the one read last; to that slot, or a new one. */
  write(segment: Segment, slot: number, policy: Policy, state: object, expiresAt: StorageInstant): void {
    this.#cell.expiresAt = expiresAt;
    this.#layouts[policy.strategy.name].write(this.#cell, state, policy);
    this.#cell.close(segment, slot);
  }
}

/** The log is written in place; a log of one entry is the slot itself. */
function logLayout(log: SlotLog): Layout<SlotLog> {
  return {
    read(cell, { limit }) {
      log.open(cell, limit.windowMs);
      return log;
    },
    write: (cell) => log.close(cell),
  };
}
