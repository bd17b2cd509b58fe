import type { MemcachedClient } from "../../src/memcached/index.js";

type Callback = (error: unknown, result: unknown) => void;
type Command = "incr" | "add" | "gets" | "cas" | "del" | "version";

/** A client of the package's shape over a map, whose commands can be held back, failed, or preceded. */
export class FakeClient implements MemcachedClient {
  readonly items = new Map<string, { text: string; cas: number }>();
  /** Every command that was executed, in order. */
  readonly log: Command[] = [];
  /** Runs before a command is executed; may throw what the client would answer as an error. */
  before: (command: Command) => void | Promise<void> = () => {};
  #writes = 0;

  incr(key: string, amount: number, callback: Callback): void {
    this.#run("incr", callback, () => {
      const item = this.items.get(key);
      if (item === undefined) return false;
      this.put(key, String(Number(item.text) + amount));
      return Number(item.text) + amount;
    });
  }

  add(key: string, value: string, _lifetime: number, callback: Callback): void {
    this.#run("add", callback, () => {
      if (this.items.has(key)) throw Object.assign(new Error("Item is not stored"), { notStored: true });
      this.put(key, value);
      return true;
    });
  }

  gets(key: string, callback: Callback): void {
    this.#run("gets", callback, () => {
      const item = this.items.get(key);
      return item && { [key]: item.text, cas: String(item.cas) };
    });
  }

  cas(key: string, value: string, cas: string, _lifetime: number, callback: Callback): void {
    this.#run("cas", callback, () => {
      if (this.items.get(key)?.cas !== Number(cas)) return false;
      this.put(key, value);
      return true;
    });
  }

  del(key: string, callback: Callback): void {
    this.#run("del", callback, () => this.items.delete(key));
  }

  version(callback: Callback): void {
    this.#run("version", callback, () => []);
  }

  /** Writes as another process would. */
  put(key: string, text: string): void {
    this.items.set(key, { text, cas: ++this.#writes });
  }

  async #run(command: Command, callback: Callback, execute: () => unknown): Promise<void> {
    try {
      await this.before(command);
      this.log.push(command);
      const result = execute();
      callback(undefined, result);
    } catch (error) {
      callback(error, false);
    }
  }
}
