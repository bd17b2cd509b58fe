import { connect, type Socket } from "node:net";
import { PromisedAnswer, type Question, QuestionLine } from "./question.js";
import { type Reply, ReplyReader } from "./reply-reader.js";

/** Where a server listens. */
export type ServerAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** `"127.0.0.1:11211"` or the path of a socket, for messages. */
export function addressText(address: ServerAddress): string {
  if ("path" in address) return address.path;
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** A server that has been silent for so many of its allowed answer times is given up. */
const DROP_AFTER_STALLS = 10;

/** The server's answers are read into one buffer of this size. */
const READ_BYTES = 65_536;

/**
 * One connection from its start to its end: questions out, answers in, in order.
 *
 * Questions of one turn of the event loop leave in one write. A question whose asker has stopped waiting stays
 * in line: its late answer tells what it did. Asking fails at once while the server owes an answer and has been
 * silent for longer than `stallMs`, so one that hangs does not gather questions.
 */
export class Wire {
  /** Called once, when the connection has ended. */
  onEnd: (error: Error) => void = () => {};
  readonly #name: string;
  readonly #stallMs: number;
  readonly #socket: Socket;
  readonly #waiting = new QuestionLine();
  #outgoing = "";
  /** When the first of the outgoing questions was asked. */
  #askedAt = 0;
  /** When the server was heard last, or was asked while it owed nothing. */
  #heardAt = Number.NEGATIVE_INFINITY;
  /** What it has not answered for too long; is it still so after a look at the socket? */
  #suspect: Question | undefined;
  #isOverdue = false;
  #ended: Error | undefined;

  constructor(address: ServerAddress, stallMs: number) {
    this.#name = addressText(address);
    this.#stallMs = stallMs;
    const reader = new ReplyReader((reply) => this.#answer(reply));
    // Read into one buffer, past the stream: a stream makes a buffer and several calls of each arrival.
    const onread = {
      buffer: Buffer.allocUnsafe(READ_BYTES),
      callback: (size: number, buffer: Uint8Array) => {
        this.#heardAt = performance.now();
        reader.push(Buffer.from(buffer.buffer, buffer.byteOffset, size));
        return true;
      },
    };
    this.#socket = connect({ ...address, noDelay: true, keepAlive: true, onread });
    this.#socket.on("error", (error) => this.end(error));
    this.#socket.on("close", () => this.end(new Error(`${this.#name} closed the connection.`)));
  }

  /** Sends whole command lines that have one answer, which goes to the question. Never throws. */
  send(command: string, question: Question): void {
    const refusal = this.#outgoing === "" ? this.#begin() : this.#ended;
    if (refusal !== undefined) {
      question.fail(refusal);
      return;
    }
    this.#outgoing += command;
    question.askedAt = this.#askedAt;
    this.#waiting.push(question);
  }

  /** Sends as {@link send}, and gives what `read` makes of the answer. `hasText`: a text follows the line. */
  ask<T>(command: string, read: (reply: Reply) => T, hasText = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.send(command, new PromisedAnswer(read, hasText, resolve, reject));
    });
  }

  /** Ends the connection; whoever waits is told the error. Without effect the second time. */
  end(error: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#socket.destroy();
    // First: what those who are told then ask in return needs another connection.
    this.onEnd(error);
    for (let lost = this.#waiting.shift(); lost !== undefined; lost = this.#waiting.shift()) lost.fail(error);
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
    // This process may have stood still since: nobody can answer what has not left.
    if (this.#waiting.first?.askedAt === this.#askedAt) this.#heardAt = performance.now();
    this.#outgoing = "";
  }

  #stalled(now: number): Error | undefined {
    const oldest = this.#waiting.first;
    // One that begins to answer again takes what its late answers make us give back.
    const silentMs = oldest === undefined ? 0 : now - Math.max(oldest.askedAt, this.#heardAt);
    if (oldest === undefined || silentMs <= this.#stallMs) return undefined;
    if (oldest !== this.#suspect) this.#lookAgain(oldest);
    if (!this.#isOverdue) return undefined;
    const error = new Error(`${this.#name} has not answered for ${Math.round(silentMs)} ms.`);
    if (silentMs > DROP_AFTER_STALLS * this.#stallMs) this.end(error);
    return error;
  }

  /** It may be this process that stood still: an answer has time until the sockets were looked at once more. */
  #lookAgain(suspect: Question): void {
    this.#suspect = suspect;
    this.#isOverdue = false;
    const isSure = () => {
      this.#isOverdue = this.#suspect === suspect;
    };
    // The first comes at the end of this turn, in which nothing is looked at any more.
    setImmediate(() => setImmediate(isSure));
  }

  #answer(reply: Reply): void {
    const question = this.#waiting.shift();
    if (question === undefined) {
      this.end(new Error(`${this.#name} answered what was not asked: ${reply.line.slice(0, 80)}`));
      return;
    }
    if (!reply.isError) {
      hand(reply, question);
      return;
    }
    const error = new Error(`${this.#name} says: ${reply.line.slice(0, 200)}`);
    const { status } = reply;
    question.fail(error);
    // A refused line whose text follows is answered twice: from then on answers would go to the wrong askers.
    if (question.hasText && status !== "SERVER_ERROR") this.end(error);
  }
}

function hand(reply: Reply, question: Question): void {
  try {
    question.answer(reply);
  } catch (error) {
    question.fail(error);
  }
}
