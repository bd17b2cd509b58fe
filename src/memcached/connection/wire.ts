import { connect, type Socket } from "node:net";
import { type Reply, ReplyReader } from "./reply-reader.js";

/** Where a server listens. */
export type ServerAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** `"127.0.0.1:11211"` or the path of a socket, for messages. */
export function addressText(address: ServerAddress): string {
  if ("path" in address) return address.path;
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

interface Waiting {
  /** Reads the answer and hands it out; throws for one that makes no sense. */
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
  readonly hasText: boolean;
  readonly askedAt: number;
}

/** A server that has been silent for so many of its allowed answer times is given up. */
const DROP_AFTER_STALLS = 10;

/** Answered entries that are kept before the queue is moved up. */
const COMPACT_FROM = 1024;

/**
 * One connection from its start to its end: questions out, answers in, in order.
 *
 * Questions of one turn of the event loop leave in one write. A question whose asker has stopped waiting stays
 * in line: its late answer tells what it did. Asking fails at once while the oldest question has been
 * unanswered for longer than `stallMs`, so a server that hangs does not gather questions.
 */
export class Wire {
  /** Called once, when the connection has ended. */
  onEnd: (error: Error) => void = () => {};
  readonly #name: string;
  readonly #stallMs: number;
  readonly #socket: Socket;
  #waiting: Waiting[] = [];
  #head = 0;
  #outgoing = "";
  /** When the first of the outgoing questions was asked. */
  #askedAt = 0;
  #ended: Error | undefined;

  constructor(address: ServerAddress, stallMs: number) {
    this.#name = addressText(address);
    this.#stallMs = stallMs;
    this.#socket = connect({ ...address, noDelay: true, keepAlive: true });
    this.#socket.setEncoding("latin1");
    const reader = new ReplyReader((reply) => this.#answer(reply));
    this.#socket.on("data", (chunk: string) => reader.push(chunk));
    this.#socket.on("error", (error) => this.end(error));
    this.#socket.on("close", () => this.end(new Error(`${this.#name} closed the connection.`)));
  }

  /**
   * Sends whole command lines that have one answer, and gives what `read` makes of it.
   *
   * `hasText`: a text follows the line. Reading here and not in a further `then` saves the hot path a promise.
   */
  ask<T>(command: string, read: (reply: Reply) => T, hasText = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const refusal = this.#outgoing === "" ? this.#begin() : this.#ended;
      if (refusal !== undefined) {
        reject(refusal);
        return;
      }
      this.#outgoing += command;
      const askedAt = this.#askedAt;
      this.#waiting.push({ resolve: (reply) => resolve(read(reply)), reject, hasText, askedAt });
    });
  }

  /** Ends the connection; whoever waits is told the error. Without effect the second time. */
  end(error: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#socket.destroy();
    const waiting = this.#waiting.slice(this.#head);
    this.#waiting = [];
    this.#head = 0;
    for (const { reject } of waiting) reject(error);
    this.onEnd(error);
  }

  /** Begins what will leave in one write; gives the error if nothing can. */
  #begin(): Error | undefined {
    this.#askedAt = performance.now();
    const refusal = this.#ended ?? this.#stalled(this.#askedAt);
    if (refusal === undefined) setImmediate(() => this.#flush());
    return refusal;
  }

  #flush(): void {
    if (this.#ended === undefined) this.#socket.write(this.#outgoing, "latin1");
    this.#outgoing = "";
  }

  #stalled(now: number): Error | undefined {
    const oldest = this.#waiting[this.#head];
    const silentMs = oldest === undefined ? 0 : now - oldest.askedAt;
    if (silentMs <= this.#stallMs) return undefined;
    const error = new Error(`${this.#name} has not answered for ${Math.round(silentMs)} ms.`);
    if (silentMs > DROP_AFTER_STALLS * this.#stallMs) this.end(error);
    return error;
  }

  #answer(reply: Reply): void {
    const waiting = this.#shift();
    if (waiting === undefined) {
      this.end(new Error(`${this.#name} answered what was not asked: ${reply.line.slice(0, 80)}`));
      return;
    }
    if (!isError(reply)) {
      hand(reply, waiting);
      return;
    }
    const error = new Error(`${this.#name} says: ${reply.line.slice(0, 200)}`);
    waiting.reject(error);
    // A refused line whose text follows is answered twice: from then on answers would go to the wrong askers.
    if (waiting.hasText && reply.status !== "SERVER_ERROR") this.end(error);
  }

  #shift(): Waiting | undefined {
    const waiting = this.#waiting[this.#head];
    if (waiting === undefined) return undefined;
    this.#head++;
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    } else if (this.#head >= COMPACT_FROM && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return waiting;
  }
}

function hand(reply: Reply, { resolve, reject }: Waiting): void {
  try {
    resolve(reply);
  } catch (error) {
    reject(error);
  }
}

function isError({ status }: Reply): boolean {
  return status === "ERROR" || status === "CLIENT_ERROR" || status === "SERVER_ERROR";
}
