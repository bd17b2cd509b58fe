import type { Milliseconds } from "../core/clock.js";
import type { LocalInstant } from "./server-clock.js";

/** Something that is given up at an instant. The other fields are its place among those that wait with it. */
export interface Expiring {
  readonly deadlineAt: LocalInstant;
  expire(): void;
  tick: Tick | undefined;
  before: Expiring | undefined;
  after: Expiring | undefined;
}

/** What is given up together: a chain, so that each can leave it without a trace. */
interface Tick {
  readonly number: number;
  first: Expiring | undefined;
}

/** Deadlines within so many milliseconds are met together, at the end of them. */
const TICK_MS: Milliseconds = 10;

/** One timer for all deadlines. It runs only while something waits, and keeps no process alive. */
export class Deadlines {
  readonly #ticks = new Map<number, Tick>();
  #latest: Tick | undefined;
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  add(item: Expiring): void {
    const number = Math.ceil(item.deadlineAt / TICK_MS);
    const tick = this.#latest?.number === number ? this.#latest : this.#tickOf(number);
    const { first } = tick;
    item.tick = tick;
    item.after = first;
    if (first !== undefined) first.before = item;
    tick.first = item;
  }

  delete(item: Expiring): void {
    const { tick, before, after } = item;
    if (tick === undefined) return;
    if (after !== undefined) after.before = before;
    if (before !== undefined) before.after = after;
    else tick.first = after;
    item.tick = undefined;
    item.before = undefined;
    item.after = undefined;
  }

  /** Gives up everything that waits. */
  close(): void {
    this.#expireUntil(Number.POSITIVE_INFINITY);
  }

  #tickOf(number: number): Tick {
    let tick = this.#ticks.get(number);
    if (tick === undefined) {
      tick = { number, first: undefined };
      this.#ticks.set(number, tick);
      if (number < this.#armedFor) this.#arm(number);
    }
    this.#latest = tick;
    return tick;
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
    this.#latest = undefined;
    let next = Number.POSITIVE_INFINITY;
    for (const [number, tick] of this.#ticks) {
      if (number > lastTick && tick.first !== undefined) {
        next = Math.min(next, number);
        continue;
      }
      this.#ticks.delete(number);
      this.#expire(tick);
    }
    if (Number.isFinite(next)) this.#arm(next);
  }

  #expire(tick: Tick): void {
    for (let item = tick.first; item !== undefined; item = tick.first) {
      this.delete(item);
      item.expire();
    }
  }
}
