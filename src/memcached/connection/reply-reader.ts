/** One whole answer of a server. It lies in the connection's bytes: read it before the next one is read. */
export interface Reply {
  /** First word of the line: `"HD"`, `"STORED"`, `"SERVER_ERROR"`; the digits of an `incr`. */
  readonly status: string;
  /** The whole line, without its end. */
  readonly line: string;
  /** The stored text, of an answer that carries one. */
  readonly text: string | undefined;
  /** Has it a text? */
  readonly hasText: boolean;
  /** The text, else the line, as a whole number; `NaN` when it is none. */
  readonly number: number;
  /** The number behind the last ` c` of the line; 0 when there is none, or none that is exact. */
  readonly cas: number;
  /** Did the server refuse the command, or fail at it? */
  readonly isError: boolean;
}

const CR = 0x0d;
const LF = 0x0a;
const LINE_END_SIZE = 2;
const ZERO = 0x30;
const NOTHING = Buffer.alloc(0);

/**
 * Cuts the bytes of a connection, however they arrive, into answers.
 *
 * Knows both protocols: `VA <size>` with a text after it, and `VALUE <key> <flags> <size>` with a text and
 * an `END`, which counts as one answer.
 *
 * Hot: the answer of an increment makes no string and no object.
 */
export class ReplyReader {
  readonly #onReply: (reply: Reply) => void;
  readonly #reply = new ReplyInBytes();
  #rest: Buffer = NOTHING;

  constructor(onReply: (reply: Reply) => void) {
    this.#onReply = onReply;
  }

  /** Takes the next bytes. They are copied as far as they are needed later. */
  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let position = 0;
    for (let end = this.#reply.readAt(bytes, 0); end > 0; end = this.#reply.readAt(bytes, position)) {
      position = end;
      this.#onReply(this.#reply);
    }
    this.#rest = position === bytes.length ? NOTHING : Buffer.from(bytes.subarray(position));
  }
}

class ReplyInBytes implements Reply {
  #bytes: Buffer = NOTHING;
  #start = 0;
  #lineEnd = 0;
  #textEnd = 0;
  hasText = false;

  get line(): string {
    return this.#bytes.toString("latin1", this.#start, this.#lineEnd);
  }

  get status(): string {
    const { line } = this;
    const blank = line.indexOf(" ");
    return blank < 0 ? line : line.slice(0, blank);
  }

  get text(): string | undefined {
    return this.hasText ? this.#bytes.toString("latin1", this.#textStart, this.#textEnd) : undefined;
  }

  get number(): number {
    return this.hasText
      ? wholeNumber(this.#bytes, this.#textStart, this.#textEnd)
      : wholeNumber(this.#bytes, this.#start, this.#lineEnd);
  }

  get cas(): number {
    let at = this.#lineEnd - 1;
    while (at > this.#start && isDigit(this.#bytes[at])) at--;
    const isFlag = this.#bytes[at] === 0x63 && this.#bytes[at - 1] === 0x20;
    const cas = isFlag ? wholeNumber(this.#bytes, at + 1, this.#lineEnd) : 0;
    return Number.isSafeInteger(cas) ? cas : 0;
  }

  get isError(): boolean {
    // VA, and digits, are by far the most.
    const first = this.#bytes[this.#start];
    if (first !== 0x43 && first !== 0x45 && first !== 0x53) return false;
    const { status } = this;
    return status === "ERROR" || status === "CLIENT_ERROR" || status === "SERVER_ERROR";
  }

  /** Reads the answer that begins there, and gives where the next one does; 0 when it is not all there. */
  readAt(bytes: Buffer, start: number): number {
    const lineEnd = endOfLine(bytes, start);
    if (lineEnd < 0) return 0;
    this.#bytes = bytes;
    this.#start = start;
    this.#lineEnd = lineEnd;
    const size = this.#textSize();
    this.hasText = size >= 0;
    if (size < 0) return lineEnd + LINE_END_SIZE;
    this.#textEnd = this.#textStart + size;
    const end = this.#textEnd + LINE_END_SIZE;
    if (end > bytes.length) return 0;
    return this.#isMetaValue ? end : this.#readAfterValue(end);
  }

  get #textStart(): number {
    return this.#lineEnd + LINE_END_SIZE;
  }

  get #isMetaValue(): boolean {
    return this.#bytes[this.#start + 2] === 0x20;
  }

  /** A `VALUE` is good when an `END` follows; anything else takes its place. */
  #readAfterValue(start: number): number {
    const lineEnd = endOfLine(this.#bytes, start);
    if (lineEnd < 0) return 0;
    const isEnd = this.#bytes.toString("latin1", start, lineEnd) === "END";
    return isEnd ? lineEnd + LINE_END_SIZE : this.readAt(this.#bytes, start);
  }

  /** Of the text after the line; -1 when there is none. */
  #textSize(): number {
    const bytes = this.#bytes;
    const start = this.#start;
    if (bytes[start] !== 0x56 || bytes[start + 1] !== 0x41) return -1;
    if (bytes[start + 2] === 0x20) return numberFrom(bytes, start + 3);
    const [verb, , , size = ""] = this.line.split(" ");
    return verb === "VALUE" && /^\d+$/.test(size) ? Number(size) : -1;
  }
}

/** Where the line that begins there ends; -1 when it does not. */
function endOfLine(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === LF && bytes[at - 1] === CR) return at - 1;
  }
  return -1;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= ZERO + 9;
}

/** The number whose digits begin there. */
function numberFrom(bytes: Buffer, start: number): number {
  let value = 0;
  for (let at = start; isDigit(bytes[at]); at++) value = value * 10 + (bytes[at] ?? 0) - ZERO;
  return value;
}

/** The number that these bytes are; `NaN` when they are anything else. */
function wholeNumber(bytes: Buffer, start: number, end: number): number {
  let value = start === end ? Number.NaN : 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}
