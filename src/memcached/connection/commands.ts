import type { Item, Link } from "./link.js";
import type { Reply } from "./reply-reader.js";
import type { Wire } from "./wire.js";

/** A {@link Link} over one living connection: what differs between the two protocols. */
export type Commands = Omit<Link, "close">;

/**
 * Asks which protocol the server speaks.
 *
 * The question is an increment of a key that nobody has, without leave to create it: servers that know meta
 * arithmetic (1.6) answer that it is missing, all others that they do not understand.
 */
export async function openCommands(wire: Wire): Promise<Commands> {
  try {
    await wire.ask("ma express-limits-hello v\r\n");
    return new MetaCommands(wire);
  } catch (error) {
    if (error instanceof Error && / says: (ERROR|CLIENT_ERROR)/.test(error.message)) {
      return new ClassicCommands(wire);
    }
    throw error;
  }
}

/** The meta commands of Memcached 1.6: create or add in one command. */
export class MetaCommands implements Commands {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  async increment(key: string, by: number, first: string, exptime: number): Promise<Item> {
    const reply = await this.#wire.ask(`ma ${key} N${exptime} J${first} D${by} v c\r\n`);
    return metaItem(reply) ?? unexpected(reply);
  }

  async read(key: string): Promise<Item | undefined> {
    const reply = await this.#wire.ask(`mg ${key} v c\r\n`);
    return reply.status === "EN" ? undefined : (metaItem(reply) ?? unexpected(reply));
  }

  async write(key: string, text: string, cas: string | undefined, exptime: number): Promise<boolean> {
    const condition = cas === undefined ? "ME" : `C${cas}`;
    const command = `ms ${key} ${text.length} ${condition} T${exptime}\r\n${text}\r\n`;
    return isDone(await this.#wire.ask(command, true), "HD", ["EX", "NF", "NS"]);
  }

  async remove(key: string): Promise<void> {
    isDone(await this.#wire.ask(`md ${key}\r\n`), "HD", ["NF"]);
  }

  async check(): Promise<void> {
    await this.#wire.ask("mn\r\n");
  }
}

/** The commands that every Memcached knows. */
export class ClassicCommands implements Commands {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** A missing counter is added and counted in one write, so that losing the race to add it costs nothing. */
  async increment(key: string, by: number, first: string, exptime: number): Promise<Item> {
    const increment = `incr ${key} ${by}\r\n`;
    const sum = classicSum(await this.#wire.ask(increment));
    if (sum !== undefined) return sum;
    const empty = String(Number(first) - by);
    const [, reply] = await Promise.all([
      this.#wire.ask(`add ${key} 0 ${exptime} ${empty.length}\r\n${empty}\r\n`, true),
      this.#wire.ask(increment),
    ]);
    return classicSum(reply) ?? unexpected(reply);
  }

  async read(key: string): Promise<Item | undefined> {
    const reply = await this.#wire.ask(`gets ${key}\r\n`);
    if (reply.status === "END") return undefined;
    if (reply.text === undefined) return unexpected(reply);
    return { text: reply.text, cas: reply.line.split(" ")[4] };
  }

  async write(key: string, text: string, cas: string | undefined, exptime: number): Promise<boolean> {
    const command =
      cas === undefined
        ? `add ${key} 0 ${exptime} ${text.length}\r\n${text}\r\n`
        : `cas ${key} 0 ${exptime} ${text.length} ${cas}\r\n${text}\r\n`;
    return isDone(await this.#wire.ask(command, true), "STORED", ["EXISTS", "NOT_FOUND", "NOT_STORED"]);
  }

  async remove(key: string): Promise<void> {
    isDone(await this.#wire.ask(`delete ${key}\r\n`), "DELETED", ["NOT_FOUND"]);
  }

  async check(): Promise<void> {
    await this.#wire.ask("version\r\n");
  }
}

/** `VA 16 c42`: only the flag that was asked for stands behind the size. */
function metaItem({ status, line, text }: Reply): Item | undefined {
  if (status !== "VA" || text === undefined) return undefined;
  return { text, cas: line.slice(line.lastIndexOf(" c") + 2) };
}

/** An `incr` is answered by the sum, a missing key by `NOT_FOUND`. */
function classicSum(reply: Reply): Item | undefined {
  if (reply.status === "NOT_FOUND") return undefined;
  return /^\d+$/.test(reply.status) ? { text: reply.status, cas: undefined } : unexpected(reply);
}

function isDone(reply: Reply, done: string, lost: readonly string[]): boolean {
  if (reply.status === done) return true;
  return lost.includes(reply.status) ? false : unexpected(reply);
}

function unexpected(reply: Reply): never {
  throw new Error(`Unexpected answer: ${reply.line.slice(0, 80)}`);
}
