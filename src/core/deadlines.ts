import type { Milliseconds } from "./clock.js";

/** An instant of `performance.now()`. */
export type LocalInstant = number;

/** Something that is given up when its time is up, unless it was taken out before. */
export abstract class Expiring {
  deadlineAt: LocalInstant;
  /** It was given grace, which is given once. */
  isPostponed = false;
  /** Its place among those that wait with it. */
  tick: Tick | undefined = undefined;
  before: Expiring | undefined = undefined;
  after: Expiring | undefined = undefined;

  constructor(deadlineAt: LocalInstant) {
    this.deadlineAt = deadlineAt;
  }

  /** It waits no more: its time is up, or there is another reason. */
  abstract expire(reason?: Error): void;
}

/** What is given up together: a chain, so that each can leave it without a trace. */
interface Tick {
  readonly number: number;
  first: Expiring | undefined;
}

/** Deadlines within so many milliseconds are met together, at the end of them. */
const TICK_MS: Milliseconds = 10;

/** A timer that is so late tells that the process stood still. */
const STANDSTILL_MS: Milliseconds = 10;

/** What became due in a standstill may wait as much longer as it lasted from then on, and at most so long. */
const MOST_GRACE_MS: Milliseconds = 100;

/**
 * One timer for all deadlines. It runs only while something waits, and keeps no process alive.
 *
 * A process that stands still, at work in one piece or without a processor, hears no answer, and Node looks at its
 * timers before it looks at its sockets: whoever was asked in time would be found guilty. So nothing is given up
 * before the sockets were looked at once more; and what became due in a standstill is given grace, once, since its
 * question may not even have left yet.
 */
export class Deadlines {
  readonly #ticks = new Map<number, Tick>();
  #latest: Tick | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #races = 0;
  readonly #onDone: (() => void)[] = [];

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
    // One that has grown old would keep its neighbours from being collected young, and they theirs.
    item.tick = undefined;
    item.before = undefined;
    item.after = undefined;
  }

  /** The promise's outcome, or a rejection with what `late` makes, whichever comes first. */
  race<T>(promise: Promise<T>, timeoutMs: Milliseconds, late: () => Error): Promise<T> {
    return new Promise((resolve, reject) => {
      const wait = new Wait(performance.now() + timeoutMs, (reason) => {
        this.#raceEnded();
        reject(reason ?? late());
      });
      this.#races++;
      this.add(wait);
      promise.then(
        (value) => {
          this.#leaveRace(wait);
          resolve(value);
        },
        (error) => {
          this.#leaveRace(wait);
          reject(error);
        },
      );
    });
  }

  /** When nobody races any more, or after so long. */
  whenDone(withinMs: Milliseconds): Promise<void> {
    if (this.#races === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#onDone.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Grace for something that has not set out yet, if its deadline has passed. */
  postponeOverdue(item: Expiring, now: LocalInstant): void {
    if (item.deadlineAt > now || item.isPostponed || item.tick === undefined) return;
    this.delete(item);
    item.isPostponed = true;
    item.deadlineAt = now + Math.min(Math.max(now - item.deadlineAt, TICK_MS), MOST_GRACE_MS);
    this.add(item);
  }

  /** Gives up everything that waits. */
  close(reason?: Error): void {
    clearTimeout(this.#timer);
    this.#expireUntil(Number.POSITIVE_INFINITY, reason);
  }

  /** Without effect for one that was given up. */
  #leaveRace(wait: Wait): void {
    if (wait.tick === undefined) return;
    this.delete(wait);
    this.#raceEnded();
  }

  #raceEnded(): void {
    this.#races--;
    if (this.#races > 0 || this.#onDone.length === 0) return;
    for (const done of this.#onDone.splice(0)) done();
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

  #arm(number: number): void {
    clearTimeout(this.#timer);
    this.#armedFor = number;
    const waitMs = Math.max(0, number * TICK_MS - performance.now());
    this.#timer = setTimeout(() => this.#wake(), Math.ceil(waitMs));
    this.#timer.unref?.();
  }

  #wake(): void {
    const now = performance.now();
    const isLate = now - this.#armedFor * TICK_MS > STANDSTILL_MS;
    // Nothing is due sooner than what is given up in this turn, which arms the timer anew.
    this.#armedFor = Number.NEGATIVE_INFINITY;
    if (isLate) this.#postponeUntil(now);
    setImmediate(() => this.#expireUntil(now / TICK_MS));
  }

  #postponeUntil(now: LocalInstant): void {
    for (const [number, tick] of this.#ticks) {
      if (number * TICK_MS > now) continue;
      for (let item = tick.first, next = item?.after; item !== undefined; item = next, next = item?.after) {
        this.postponeOverdue(item, now);
      }
    }
  }

  #expireUntil(lastTick: number, reason?: Error): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    this.#latest = undefined;
    let next = Number.POSITIVE_INFINITY;
    for (const [number, tick] of this.#ticks) {
      if (number > lastTick && tick.first !== undefined) {
        next = Math.min(next, number);
        continue;
      }
      this.#ticks.delete(number);
      this.#expire(tick, reason);
    }
    // Whoever was told may have come and gone: a tick that is none any more takes nobody.
    this.#latest = undefined;
    if (next < this.#armedFor) this.#arm(next);
  }

  #expire(tick: Tick, reason: Error | undefined): void {
    for (let item = tick.first; item !== undefined; item = tick.first) {
      this.delete(item);
      item.expire(reason);
    }
  }
}

/** Somebody who waits for a promise. */
class Wait extends Expiring {
  readonly #giveUp: (reason: Error | undefined) => void;

  constructor(deadlineAt: LocalInstant, giveUp: (reason: Error | undefined) => void) {
    super(deadlineAt);
    this.#giveUp = giveUp;
  }

  expire(reason?: Error): void {
    this.#giveUp(reason);
  }
}
