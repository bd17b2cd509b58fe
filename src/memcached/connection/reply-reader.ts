/** One whole answer of a server. */
export interface Reply {
  /** First word of the line: `"HD"`, `"STORED"`, `"SERVER_ERROR"`; the digits of an `incr`. */
  readonly status: string;
  /** The whole line, without its end. */
  readonly line: string;
  /** The stored text, of an answer that carries one. */
  readonly text: string | undefined;
}

const LINE_END = "\r\n";

/**
 * Cuts the bytes of a connection, however they arrive, into answers.
 *
 * Knows both protocols: `VA <size>` with a text after it, and `VALUE <key> <flags> <size>` with a text and
 * an `END`, which counts as one answer.
 */
export class ReplyReader {
  readonly #onReply: (reply: Reply) => void;
  #buffered = "";
  #position = 0;
  /** A `VALUE` whose `END` has not come yet. */
  #value: Reply | undefined;

  constructor(onReply: (reply: Reply) => void) {
    this.#onReply = onReply;
  }

  /** Takes the next bytes, as latin1. */
  push(chunk: string): void {
    this.#buffered = this.#position === this.#buffered.length ? chunk : this.#rest() + chunk;
    this.#position = 0;
    for (let reply = this.#next(); reply !== undefined; reply = this.#next()) this.#deliver(reply);
  }

  #rest(): string {
    return this.#buffered.slice(this.#position);
  }

  #next(): Reply | undefined {
    const lineEnd = this.#buffered.indexOf(LINE_END, this.#position);
    if (lineEnd < 0) return undefined;
    const line = this.#buffered.slice(this.#position, lineEnd);
    const blank = line.indexOf(" ");
    const status = blank < 0 ? line : line.slice(0, blank);
    const size = textSize(status, line);
    const textStart = lineEnd + LINE_END.length;
    if (size === undefined) {
      this.#position = textStart;
      return { status, line, text: undefined };
    }
    const end = textStart + size + LINE_END.length;
    if (this.#buffered.length < end) return undefined;
    this.#position = end;
    return { status, line, text: this.#buffered.slice(textStart, textStart + size) };
  }

  #deliver(reply: Reply): void {
    if (reply.status === "VALUE") {
      this.#value = reply;
    } else if (reply.status === "END" && this.#value !== undefined) {
      const value = this.#value;
      this.#value = undefined;
      this.#onReply(value);
    } else {
      this.#onReply(reply);
    }
  }
}

function textSize(status: string, line: string): number | undefined {
  if (status === "VA") return Number.parseInt(line.slice(3), 10);
  if (status === "VALUE") return Number(line.split(" ")[3]);
  return undefined;
}
