import type { Milliseconds } from "../core/clock.js";
import type { LocalInstant } from "./server-clock.js";

/** Something that is given up at an instant. */
export interface Expiring {
  readonly deadlineAt: LocalInstant;
  expire(): void;
}

/** Deadlines within so many milliseconds are met together, at the end of them. */
const TICK_MS: Milliseconds = 10;

/** One timer for all deadlines. It runs only while something waits, and keeps no process alive. */
export class Deadlines {
  readonly #ticks = new Map<number, Set<Expiring>>();
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  add(item: Expiring): void {
    const tick = tickOf(item);
    const waiting = this.#ticks.get(tick);
    if (waiting !== undefined) {
      waiting.add(item);
      return;
    }
    this.#ticks.set(tick, new Set([item]));
    if (tick < this.#armedFor) this.#arm(tick);
  }

  delete(item: Expiring): void {
    this.#ticks.get(tickOf(item))?.delete(item);
  }

  /** Gives up everything that waits. */
  close(): void {
    this.#expireUntil(Number.POSITIVE_INFINITY);
  }

  #arm(tick: number): void {
    clearTimeout(this.#timer);
    this.#armedFor = tick;
    const waitMs = Math.max(0, tick * TICK_MS - performance.now());
    this.#timer = setTimeout(() => this.#expireUntil(performance.now() / TICK_MS), Math.ceil(waitMs));
    this.#timer.unref();
  }

  #expireUntil(lastTick: number): void {
    clearTimeout(this.#timer);
    this.#armedFor = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const [tick, waiting] of this.#ticks) {
      if (tick > lastTick && waiting.size > 0) {
        next = Math.min(next, tick);
        continue;
      }
      this.#ticks.delete(tick);
      for (const item of waiting) item.expire();
    }
    if (Number.isFinite(next)) this.#arm(next);
  }
}

function tickOf(item: Expiring): number {
  return Math.ceil(item.deadlineAt / TICK_MS);
}
