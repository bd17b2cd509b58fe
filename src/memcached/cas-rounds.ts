import { Contended } from "./connection/contended.js";
import type { Item, Link } from "./connection/link.js";

/** How a kind of item is written. */
export interface Codec<State> {
  /** They are changed by increments too. */
  readonly areCounters: boolean;
  /** A write that lost so often is given up: each loss means that somebody else's succeeded. */
  readonly mostLosses: number;
  /** From a text that was read; `undefined` for one that is not of this kind. */
  read(text: string): State | undefined;
  write(state: State): string;
  /** When the item may be forgotten, in the protocol's words. */
  exptime(state: State): number;
}

/** What a step makes of a state. */
export interface StepResult<State, Result> {
  readonly result: Result;
  /** The state to write; `undefined` to leave it as it is. */
  readonly next: State | undefined;
}

/** Decides on the state as it is. Runs again, on the newer state, when another process wrote first. */
export type Step<State, Result> = (state: State | undefined) => StepResult<State, Result>;

/** Somebody who waits for a step, or has stopped waiting. */
export interface Waiter {
  readonly isOver: boolean;
}

interface Task<State> {
  readonly isOver: boolean;
  /** Runs the step, remembers its result, gives the state to write. */
  run(state: State | undefined): State | undefined;
  /** Hands out the result. */
  finish(): void;
  fail(error: unknown): void;
}

/**
 * Read, decide, write if unchanged: for items on which many wait.
 *
 * Only one such exchange for a key is under way in this process. What is asked meanwhile waits and is decided
 * together, in the order in which it came, in the next round. So contenders are processes and not requests,
 * and one of them always wins.
 */
export class CasRounds<State> {
  readonly #link: Link;
  readonly #codec: Codec<State>;
  readonly #queues = new Map<string, Task<State>[]>();

  constructor(link: Link, codec: Codec<State>) {
    this.#link = link;
    this.#codec = codec;
  }

  /**
   * Runs the step in the key's next round.
   *
   * Without a `waiter` it runs in any case, else only while somebody waits. `known`: the item as an answer just
   * told it, which saves the reading if nobody has written since. Rejects with {@link Contended} after too many
   * losses.
   */
  run<Result>(key: string, step: Step<State, Result>, waiter?: Waiter, known?: Item): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const task = newTask(step, waiter, resolve, reject);
      const queue = this.#queues.get(key);
      if (queue !== undefined) {
        queue.push(task);
        return;
      }
      const opened = [task];
      this.#queues.set(key, opened);
      void this.#work(key, opened, known?.cas === undefined ? undefined : known);
    });
  }

  async #work(key: string, queue: Task<State>[], known: Item | undefined): Promise<void> {
    let item = known;
    let losses = 0;
    while (queue.length > 0) {
      try {
        item ??= await this.#read(key);
        losses = (await this.#round(key, queue, item)) ? 0 : losses + 1;
        if (losses === this.#codec.mostLosses) throw new Contended(key);
      } catch (error) {
        losses = 0;
        for (const task of queue.splice(0)) task.fail(error);
      }
      item = undefined;
    }
    this.#queues.delete(key);
  }

  /** Decides all who wait by now. `false` when another process wrote first. */
  async #round(key: string, queue: Task<State>[], item: Item | undefined): Promise<boolean> {
    dropOver(queue);
    const count = queue.length;
    let state = item === undefined ? undefined : this.#codec.read(item.text);
    let written: State | undefined;
    for (const task of queue) {
      const next = task.run(state);
      if (next !== undefined) {
        state = next;
        written = next;
      }
    }
    if (written !== undefined && !(await this.#write(key, written, item))) return false;
    for (const task of queue.splice(0, count)) task.finish();
    return true;
  }

  #read(key: string): Promise<Item | undefined> {
    return this.#codec.areCounters ? this.#link.readCounter(key) : this.#link.read(key);
  }

  #write(key: string, state: State, item: Item | undefined): Promise<boolean> {
    return this.#link.write(key, this.#codec.write(state), item?.cas, this.#codec.exptime(state));
  }
}

function dropOver<State>(queue: Task<State>[]): void {
  for (let i = queue.length - 1; i >= 0; i--) {
    if (queue[i]?.isOver)
      for (const task of queue.splice(i, 1)) task.fail(new Error("Nobody waits any more."));
  }
}

function newTask<State, Result>(
  step: Step<State, Result>,
  waiter: Waiter | undefined,
  resolve: (result: Result) => void,
  reject: (error: unknown) => void,
): Task<State> {
  let latest: StepResult<State, Result> | undefined;
  return {
    get isOver() {
      return waiter?.isOver === true;
    },
    run(state) {
      latest = step(state);
      return latest.next;
    },
    finish() {
      if (latest !== undefined) resolve(latest.result);
    },
    fail: reject,
  };
}
