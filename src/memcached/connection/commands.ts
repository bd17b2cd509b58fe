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
    await wire.ask("ma express-limits-hello v\r\n", ({ status }) => status);
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

  increment(key: string, by: number, first: string, exptime: number): Promise<Item> {
    return this.#wire.ask(`ma ${key} N${exptime} J${first} D${by} v c\r\n`, metaItem);
  }

  read(key: string): Promise<Item | undefined> {
    return this.#wire.ask(`mg ${key} v c\r\n`, metaItemOrMiss);
  }

  write(key: string, text: string, cas: string | undefined, exptime: number): Promise<boolean> {
    const condition = cas === undefined ? "ME" : `C${cas}`;
    const command = `ms ${key} ${text.length} ${condition} T${exptime}\r\n${text}\r\n`;
    return this.#wire.ask(command, (reply) => isDone(reply, "HD", ["EX", "NF", "NS"]), true);
  }

  async remove(key: string): Promise<void> {
    await this.#wire.ask(`md ${key}\r\n`, (reply) => isDone(reply, "HD", ["NF"]));
  }

  async check(): Promise<void> {
    await this.#wire.ask("mn\r\n", (reply) => isDone(reply, "MN", []));
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
    const known = await this.#wire.ask(increment, classicSumOrMiss);
    if (known !== undefined) return known;
    const [, sum] = await Promise.all([
      this.write(key, String(Number(first) - by), undefined, exptime),
      this.#wire.ask(increment, classicSum),
    ]);
    return sum;
  }

  read(key: string): Promise<Item | undefined> {
    return this.#wire.ask(`gets ${key}\r\n`, classicItemOrMiss);
  }

  write(key: string, text: string, cas: string | undefined, exptime: number): Promise<boolean> {
    const [verb, condition] = cas === undefined ? ["add", ""] : ["cas", ` ${cas}`];
    const command = `${verb} ${key} 0 ${exptime} ${text.length}${condition}\r\n${text}\r\n`;
    const losses = ["EXISTS", "NOT_FOUND", "NOT_STORED"];
    return this.#wire.ask(command, (reply) => isDone(reply, "STORED", losses), true);
  }

  async remove(key: string): Promise<void> {
    await this.#wire.ask(`delete ${key}\r\n`, (reply) => isDone(reply, "DELETED", ["NOT_FOUND"]));
  }

  async check(): Promise<void> {
    await this.#wire.ask("version\r\n", (reply) => isDone(reply, "VERSION", []));
  }
}

/** `VA 16 c42`: only the flag that was asked for stands behind the size. */
function metaItem(reply: Reply): Item {
  const { status, line, text } = reply;
  if (status !== "VA" || text === undefined) return unexpected(reply);
  return { text, cas: line.slice(line.lastIndexOf(" c") + 2) };
}

function metaItemOrMiss(reply: Reply): Item | undefined {
  return reply.status === "EN" ? undefined : metaItem(reply);
}

function classicSum(reply: Reply): Item {
  return /^\d+$/.test(reply.status) ? { text: reply.status, cas: undefined } : unexpected(reply);
}

function classicSumOrMiss(reply: Reply): Item | undefined {
  return reply.status === "NOT_FOUND" ? undefined : classicSum(reply);
}

function classicItemOrMiss(reply: Reply): Item | undefined {
  if (reply.status === "END") return undefined;
  if (reply.text === undefined) return unexpected(reply);
  return { text: reply.text, cas: reply.line.split(" ")[4] };
}

function isDone(reply: Reply, done: string, lost: readonly string[]): boolean {
  if (reply.status === done) return true;
  return lost.includes(reply.status) ? false : unexpected(reply);
}

function unexpected(reply: Reply): never {
  throw new Error(`Unexpected answer: ${reply.line.slice(0, 80)}`);
}
