import { type Commands, openCommands } from "./commands.js";
import type { Increment, Item, Link } from "./link.js";
import { addressText, type ServerAddress, Wire } from "./wire.js";

/** A server that cannot be reached is tried again after so long, then after twice as long, up to the last. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;

/** A connection that does not come about in this time is given up. */
const CONNECT_TIMEOUT_MS = 2000;

/**
 * One server over a connection of our own, which is opened at the first command and again whenever it is lost.
 *
 * Commands wait for a connection that is being opened, and fail at once while the server is known to be away.
 */
export class ServerLink implements Link {
  readonly #address: ServerAddress;
  readonly #stallMs: number;
  #commands: Commands | undefined;
  #opening: Promise<Commands> | undefined;
  #wire: Wire | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = 0;
  #error: Error | undefined;
  #isClosed = false;

  constructor(address: ServerAddress, stallMs: number) {
    this.#address = address;
    this.#stallMs = stallMs;
  }

  increment(increment: Increment): void {
    if (this.#commands !== undefined) this.#commands.increment(increment);
    else
      this.#open().then(
        (commands) => commands.increment(increment),
        (error: unknown) => increment.failed(error),
      );
  }

  read(key: string): Promise<Item | undefined> {
    return this.#commands?.read(key) ?? this.#open().then((commands) => commands.read(key));
  }

  readCounter(key: string): Promise<Item | undefined> {
    return this.#commands?.readCounter(key) ?? this.#open().then((commands) => commands.readCounter(key));
  }

  write(key: string, text: string, cas: string | undefined, exptime: number): Promise<boolean> {
    return (
      this.#commands?.write(key, text, cas, exptime) ??
      this.#open().then((commands) => commands.write(key, text, cas, exptime))
    );
  }

  remove(key: string): Promise<void> {
    return this.#commands?.remove(key) ?? this.#open().then((commands) => commands.remove(key));
  }

  check(): Promise<void> {
    return this.#commands?.check() ?? this.#open().then((commands) => commands.check());
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#wire?.end(new Error(`The connection to ${addressText(this.#address)} was closed.`));
  }

  #open(): Promise<Commands> {
    if (this.#opening !== undefined) return this.#opening;
    if (this.#isClosed) return Promise.reject(new Error("The storage was closed."));
    if (this.#retry !== undefined) return Promise.reject(this.#error);
    const opening = this.#connect();
    this.#opening = opening;
    // Whoever waits for it is told; when nobody does, the retry is all that follows.
    opening.catch(() => {});
    return opening;
  }

  async #connect(): Promise<Commands> {
    const wire = new Wire(this.#address, this.#stallMs);
    this.#wire = wire;
    wire.onEnd = (error) => this.#lost(error);
    const late = new Error(
      `${addressText(this.#address)} could not be reached within ${CONNECT_TIMEOUT_MS} ms.`,
    );
    const timer = setTimeout(() => wire.end(late), CONNECT_TIMEOUT_MS).unref();
    try {
      this.#commands = await openCommands(wire);
      this.#opening = undefined;
      this.#retryMs = 0;
      return this.#commands;
    } catch (error) {
      // A server that answers the first question with an error is as good as away.
      wire.end(error instanceof Error ? error : late);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** A connection that worked is opened again at once, one that did not come about after a while. */
  #lost(error: Error): void {
    const worked = this.#commands !== undefined;
    this.#commands = undefined;
    this.#opening = undefined;
    this.#error = error;
    if (this.#isClosed) return;
    if (worked) {
      this.#open().catch(() => {});
      return;
    }
    this.#retryMs = Math.min(LAST_RETRY_MS, Math.max(FIRST_RETRY_MS, 2 * this.#retryMs));
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#open().catch(() => {});
    }, this.#retryMs).unref();
  }
}
