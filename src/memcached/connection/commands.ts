import type { Increment, Item, Link } from "./link.js";
import { Question } from "./question.js";
import type { Reply } from "./reply-reader.js";
import { readSteadily } from "./steady-read.js";
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

  increment(increment: Increment): void {
    const { key, by, first, exptime } = increment;
    this.#wire.send(`ma ${key} N${exptime} J${first} D${by} v c\r\n`, new MetaSum(increment));
  }

  read(key: string): Promise<Item | undefined> {
    return this.#wire.ask(`mg ${key} v c\r\n`, metaItemOrMiss);
  }

  /** Whether an item was hit before (`h`) is told under the item's lock: no increment comes between. */
  readCounter(key: string): Promise<Item | undefined> {
    return this.#wire.ask(`mg ${key} h v c\r\n`, metaItemOrMiss);
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

  increment(increment: Increment): void {
    this.#wire.send(incr(increment), new ClassicSum(increment, (missing) => this.#create(missing)));
  }

  read(key: string): Promise<Item | undefined> {
    return this.#wire.ask(`gets ${key}\r\n`, classicItemOrMiss);
  }

  /** One trip: a server answers the questions of a connection one after the other. */
  readCounter(key: string): Promise<Item | undefined> {
    return readSteadily(key, () => Promise.all([this.read(key), this.read(key)]));
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

  /** A missing counter is added and counted in one write, so that losing the race to add it costs nothing. */
  #create(increment: Increment): void {
    const { key, by, first, exptime } = increment;
    const added = this.write(key, String(Number(first) - by), undefined, exptime);
    const counted = this.#wire.ask(incr(increment), classicSum);
    Promise.all([counted, added]).then(
      ([sum]) => increment.counted(sum, 0),
      (error: unknown) => increment.failed(error),
    );
  }
}

function incr({ key, by }: Increment): string {
  return `incr ${key} ${by}\r\n`;
}

/** Waits for `VA 16 c42` and the sum in the line below. */
class MetaSum extends Question {
  readonly #increment: Increment;

  constructor(increment: Increment) {
    super();
    this.#increment = increment;
  }

  answer(reply: Reply): void {
    if (!reply.hasText) unexpected(reply);
    this.#increment.counted(reply.number, reply.cas);
  }

  fail(error: unknown): void {
    this.#increment.failed(error);
  }
}

/** Waits for the sum alone, or `NOT_FOUND`. */
class ClassicSum extends Question {
  readonly #increment: Increment;
  readonly #onMissing: (increment: Increment) => void;

  constructor(increment: Increment, onMissing: (increment: Increment) => void) {
    super();
    this.#increment = increment;
    this.#onMissing = onMissing;
  }

  answer(reply: Reply): void {
    if (Number.isNaN(reply.number) && reply.status === "NOT_FOUND") this.#onMissing(this.#increment);
    else this.#increment.counted(classicSum(reply), 0);
  }

  fail(error: unknown): void {
    this.#increment.failed(error);
  }
}

/** `VA 16 c42` or `VA 16 h1 c42`: the last of the flags is the one that is wanted. */
function metaItem(reply: Reply): Item {
  const { status, line, text } = reply;
  if (status !== "VA" || text === undefined) return unexpected(reply);
  return { text, cas: line.slice(line.lastIndexOf(" c") + 2) };
}

function metaItemOrMiss(reply: Reply): Item | undefined {
  return reply.status === "EN" ? undefined : metaItem(reply);
}

function classicSum(reply: Reply): number {
  return Number.isNaN(reply.number) ? unexpected(reply) : reply.number;
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
