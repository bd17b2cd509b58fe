import type { Milliseconds } from "../core/clock.js";

/** What a promise is rejected with that was not there in time. */
export class DeadlinePassed extends Error {
  override readonly name = "DeadlinePassed";
}

interface Waiting {
  readonly dueAt: number;
  readonly giveUp: () => void;
  isSettled: boolean;
}

/**
 * One deadline for many promises, with one timer: all wait equally long, so the first in is the first due.
 *
 * Runs on real time. The timer keeps no process alive that has nothing else to do.
 */
export class Deadlines {
  readonly #timeoutMs: Milliseconds;
  #waiting: Waiting[] = [];
  /** Before it all are settled. */
  #start = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(timeoutMs: Milliseconds) {
    this.#timeoutMs = timeoutMs;
  }

  /** The promise's outcome, or a rejection with {@link DeadlinePassed}, whichever comes first. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        dueAt: performance.now() + this.#timeoutMs,
        giveUp: () => reject(new DeadlinePassed(`No answer within ${this.#timeoutMs} ms.`)),
        isSettled: false,
      };
      this.#forgetSettled();
      this.#waiting.push(waiting);
      this.#timer ??= this.#wakeIn(this.#timeoutMs);
      promise.then(
        (value) => {
          waiting.isSettled = true;
          resolve(value);
        },
        (error) => {
          waiting.isSettled = true;
          reject(error);
        },
      );
    });
  }

  /** Gives up all that still waits. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const waiting of this.#waiting) if (!waiting.isSettled) waiting.giveUp();
    this.#waiting = [];
    this.#start = 0;
  }

  #wakeIn(delayMs: Milliseconds): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.#wake(), delayMs);
    timer.unref?.();
    return timer;
  }

  #wake(): void {
    const now = performance.now();
    for (const waiting of this.#waiting) {
      if (waiting.dueAt > now) break;
      if (!waiting.isSettled) waiting.giveUp();
      waiting.isSettled = true;
    }
    this.#forgetSettled();
    const next = this.#waiting[this.#start];
    this.#timer = next === undefined ? undefined : this.#wakeIn(Math.max(1, Math.ceil(next.dueAt - now)));
  }

  /** Answers come in about the order of the questions: what is settled at the front need not wait for its time. */
  #forgetSettled(): void {
    while (this.#waiting[this.#start]?.isSettled === true) this.#start++;
    if (this.#start < 64 || this.#start * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#start);
    this.#start = 0;
  }
}
