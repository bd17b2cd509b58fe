import type { Increment, Item, Link } from "./link.js";
import { readSteadily } from "./steady-read.js";
import { writeTogether } from "./write-together.js";

type Callback = (error: unknown, result: unknown) => void;

/**
 * What is needed of a client that the user brings: the package `memcached`, or one with the same methods.
 *
 * Results as there: `incr` gives the sum or `false`; `add` gives `true`, or an error with `notStored`;
 * `gets` an object with the text under its key and `cas`; `cas` `true` or `false`.
 */
export interface MemcachedClient {
  incr(key: string, amount: number, callback: Callback): void;
  add(key: string, value: string, lifetime: number, callback: Callback): void;
  gets(key: string, callback: Callback): void;
  cas(key: string, value: string, cas: string, lifetime: number, callback: Callback): void;
  del(key: string, callback: Callback): void;
  version(callback: Callback): void;
}

const METHODS = ["incr", "add", "gets", "cas", "del", "version"] as const;

/** The methods that an object lacks to be a {@link MemcachedClient}. */
export function missingMethods(candidate: object): string[] {
  return METHODS.filter((name) => typeof Reflect.get(candidate, name) !== "function");
}

/** A client that was not used for so long may have let its connections go. */
const COLD_AFTER_MS = 1000;

/**
 * The road over a client that the user made, and keeps: it is never closed here.
 *
 * A client without an open connection gets one command first, and the others when it is answered: the package
 * `memcached` makes those that find its pool connecting wait for a second and more.
 */
export class ClientLink implements Link {
  readonly #client: MemcachedClient;
  #scout: Promise<void> | undefined;
  /** Asked in this turn, and not yet handed to the client. */
  #outgoing: Increment[] = [];
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(client: MemcachedClient) {
    this.#client = client;
  }

  /**
   * Hot: once the client is warm, one function beside its own work.
   *
   * What is asked in one turn of the event loop is handed over in one go, and leaves in one write.
   */
  increment(increment: Increment): void {
    if (this.#isCold()) {
      this.#incr(increment.key, increment.by)
        .then((sum) => this.#goOn(increment, sum))
        .catch((error: unknown) => increment.failed(error));
      return;
    }
    if (this.#outgoing.length === 0) process.nextTick(() => this.#flush());
    this.#outgoing.push(increment);
  }

  #flush(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    writeTogether(this.#client, () => {
      for (const increment of outgoing) this.#count(increment);
    });
  }

  #count(increment: Increment): void {
    try {
      this.#client.incr(increment.key, increment.by, (error, result) => {
        this.#answeredAt = performance.now();
        if (isFailure(error)) increment.failed(asError(error));
        else this.#goOn(increment, sumOf(result));
      });
    } catch (error) {
      increment.failed(error);
    }
  }

  read(key: string): Promise<Item | undefined> {
    return this.#ask((callback) => this.#client.gets(key, callback), itemOf);
  }

  /** One after the other: a client with several connections may let questions overtake each other. */
  readCounter(key: string): Promise<Item | undefined> {
    return readSteadily(key, async () => [await this.read(key), await this.read(key)]);
  }

  write(key: string, text: string, cas: string | undefined, exptime: number): Promise<boolean> {
    if (cas === undefined) return this.#add(key, text, exptime);
    return this.#ask(
      (callback) => this.#client.cas(key, text, cas, exptime, callback),
      (stored) => stored === true,
    );
  }

  remove(key: string): Promise<void> {
    return this.#ask((callback) => this.#client.del(key, callback), nothing);
  }

  /** The client asks every server. */
  check(): Promise<void> {
    return this.#ask((callback) => this.#client.version(callback), nothing);
  }

  close(): void {}

  #goOn(increment: Increment, sum: number | undefined): void {
    if (sum !== undefined) {
      increment.counted(sum, 0);
      return;
    }
    this.#create(increment).then(
      (created) => increment.counted(created, 0),
      (error: unknown) => increment.failed(error),
    );
  }

  /** The counter is missing: adds it, or counts on the one that was added meanwhile. */
  async #create({ key, by, first, exptime }: Increment): Promise<number> {
    if (await this.#add(key, first, exptime)) return Number(first);
    const sum = await this.#incr(key, by);
    if (sum === undefined) throw new Error(`The server loses ${key} as soon as it is stored.`);
    return sum;
  }

  #incr(key: string, by: number): Promise<number | undefined> {
    return this.#ask((callback) => this.#client.incr(key, by, callback), sumOf);
  }

  /** Neither stored nor "not stored" is what the client makes of a `SERVER_ERROR`. */
  async #add(key: string, text: string, exptime: number): Promise<boolean> {
    try {
      const add = (callback: Callback) => this.#client.add(key, text, exptime, callback);
      if (await this.#ask(add, (stored) => stored === true)) return true;
    } catch (error) {
      if (isNotStored(error)) return false;
      throw error;
    }
    throw new Error(`The server would not store ${key}; it may be out of memory.`);
  }

  /** Gives a command to the client once it has a connection; gives what `read` makes of the result. */
  #ask<T>(command: (callback: Callback) => void, read: (result: unknown) => T): Promise<T> {
    if (this.#scout !== undefined) return this.#scout.then(() => this.#ask(command, read));
    const answer = new Promise<T>((resolve, reject) => {
      command((error, result) => {
        this.#answeredAt = performance.now();
        try {
          if (isFailure(error)) throw error;
          resolve(read(result));
        } catch (failure) {
          reject(asError(failure));
        }
      });
    });
    if (this.#isCold()) this.#scout = this.#arrival(answer);
    return answer;
  }

  #isCold(): boolean {
    return this.#scout !== undefined || performance.now() - this.#answeredAt > COLD_AFTER_MS;
  }

  async #arrival(answer: Promise<unknown>): Promise<void> {
    await answer.catch(() => {});
    this.#scout = undefined;
  }
}

/** The sum, or `undefined` for `false`: no such counter, or a `SERVER_ERROR`. */
function sumOf(result: unknown): number | undefined {
  if (typeof result === "number") return result;
  return typeof result === "string" && result !== "" ? Number(result) : undefined;
}

/** The client makes `undefined` of a missing key, and `false` of a `SERVER_ERROR`. */
function itemOf(result: unknown): Item | undefined {
  if (result === false) throw new Error("The server could not read a key.");
  if (typeof result !== "object" || result === null) return undefined;
  const cas: unknown = Reflect.get(result, "cas");
  // The client puts its own namespace before the name.
  const name = Object.keys(result).find((property) => property !== "cas");
  const text: unknown = name === undefined ? undefined : Reflect.get(result, name);
  if (typeof text !== "string" && typeof text !== "number") return undefined;
  return { text: String(text), cas: String(cas) };
}

const nothing = (): void => {};

function isFailure(error: unknown): boolean {
  return error !== undefined && error !== null && error !== false;
}

/** The client reports some failures as texts, and several as a list. */
function asError(error: unknown): Error {
  if (error instanceof Error) return error;
  return new Error(Array.isArray(error) ? error.map(String).join("; ") : String(error), { cause: error });
}

function isNotStored(error: unknown): boolean {
  return typeof error === "object" && error !== null && Reflect.get(error, "notStored") === true;
}
