import type { Item, Link } from "./link.js";

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
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(client: MemcachedClient) {
    this.#client = client;
  }

  async increment(key: string, by: number, first: string, exptime: number): Promise<Item> {
    const sum = await this.#incr(key, by);
    if (sum !== undefined) return sum;
    if (await this.#add(key, first, exptime)) return { text: first, cas: undefined };
    return (await this.#incr(key, by)) ?? gone(key);
  }

  async read(key: string): Promise<Item | undefined> {
    const found = await this.#ask((callback) => this.#client.gets(key, callback));
    // The client makes `undefined` of a missing key, and `false` of a SERVER_ERROR.
    if (found === false) throw new Error(`The server could not read ${key}.`);
    if (typeof found !== "object" || found === null) return undefined;
    const cas: unknown = Reflect.get(found, "cas");
    // The client puts its own namespace before the name.
    const name = Object.keys(found).find((property) => property !== "cas");
    const text: unknown = name === undefined ? undefined : Reflect.get(found, name);
    if (typeof text !== "string" && typeof text !== "number") return undefined;
    return { text: String(text), cas: String(cas) };
  }

  async write(key: string, text: string, cas: string | undefined, exptime: number): Promise<boolean> {
    if (cas === undefined) return this.#add(key, text, exptime);
    const stored = await this.#ask((callback) => this.#client.cas(key, text, cas, exptime, callback));
    return stored === true;
  }

  async remove(key: string): Promise<void> {
    await this.#ask((callback) => this.#client.del(key, callback));
  }

  /** The client asks every server. */
  async check(): Promise<void> {
    await this.#ask((callback) => this.#client.version(callback));
  }

  close(): void {}

  async #incr(key: string, by: number): Promise<Item | undefined> {
    const sum = await this.#ask((callback) => this.#client.incr(key, by, callback));
    return typeof sum === "number" || (typeof sum === "string" && sum !== "")
      ? { text: String(sum), cas: undefined }
      : undefined;
  }

  async #ask(command: (callback: Callback) => void): Promise<unknown> {
    while (this.#scout !== undefined) await this.#scout;
    const answer = promised(command);
    if (performance.now() - this.#answeredAt > COLD_AFTER_MS) this.#scout = this.#arrival(answer);
    try {
      return await answer;
    } finally {
      this.#answeredAt = performance.now();
    }
  }

  async #arrival(answer: Promise<unknown>): Promise<void> {
    await answer.catch(() => {});
    this.#scout = undefined;
  }

  /** Neither stored nor "not stored" is what the client makes of a `SERVER_ERROR`. */
  async #add(key: string, text: string, exptime: number): Promise<boolean> {
    try {
      const stored = await this.#ask((callback) => this.#client.add(key, text, exptime, callback));
      if (stored === true) return true;
    } catch (error) {
      if (isNotStored(error)) return false;
      throw error;
    }
    throw new Error(`The server would not store ${key}; it may be out of memory.`);
  }
}

function promised(command: (callback: Callback) => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    command((error, result) => {
      if (error === undefined || error === null || error === false) resolve(result);
      else reject(error instanceof Error ? error : new Error(describe(error), { cause: error }));
    });
  });
}

/** The client reports several failures as a list. */
function describe(error: unknown): string {
  return Array.isArray(error) ? error.map(String).join("; ") : String(error);
}

function isNotStored(error: unknown): boolean {
  return typeof error === "object" && error !== null && Reflect.get(error, "notStored") === true;
}

function gone(key: string): never {
  throw new Error(`The server loses ${key} as soon as it is stored; it may be out of memory.`);
}
