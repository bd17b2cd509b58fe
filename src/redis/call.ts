import type { Milliseconds } from "../core/clock.js";
import { type Deadlines, Expiring, type LocalInstant } from "../core/deadlines.js";
import { StorageError } from "../core/errors.js";
import type { Verdict } from "../core/strategy.js";
import { keyCount, type Question, type ServerInstant } from "./wire.js";

/** Who is told when the caller of a call was told that it took too long. */
export interface ExpiryListener {
  onExpired(call: Call): void;
}

/** One question on its way: it is answered, fails, or expires, once. */
export class Call extends Expiring {
  readonly question: Question;
  /** What the question's keys have in common; calls of one tag can share a script call. */
  readonly tag: string;
  /** How many stored values it reads. */
  readonly size: number;
  readonly askedAt: LocalInstant;
  readonly answer: Promise<readonly Verdict[]>;
  /** The deadline on the server's clock, as it was known when the call was sent. */
  notAfter: ServerInstant = 0;
  /** How often the server was asked too late, by what we knew of its clock. */
  timesLate = 0;
  listener: ExpiryListener | undefined = undefined;
  isSettled = false;
  readonly #timeoutMs: Milliseconds;
  readonly #deadlines: Deadlines;
  #resolve: (verdicts: readonly Verdict[]) => void = ignore;
  #reject: (error: StorageError) => void = ignore;

  constructor(question: Question, tag: string, timeoutMs: Milliseconds, deadlines: Deadlines) {
    const askedAt = performance.now();
    super(askedAt + timeoutMs);
    this.question = question;
    this.tag = tag;
    this.size = keyCount(question);
    this.askedAt = askedAt;
    this.#timeoutMs = timeoutMs;
    this.#deadlines = deadlines;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    deadlines.add(this);
  }

  succeed(verdicts: readonly Verdict[]): void {
    this.#settle();
    this.#resolve(verdicts);
  }

  fail(error: StorageError): void {
    this.#settle();
    this.#reject(error);
  }

  expire(): void {
    this.fail(timeoutError(this.#timeoutMs));
    this.listener?.onExpired(this);
  }

  #settle(): void {
    this.isSettled = true;
    this.#deadlines.delete(this);
  }
}

function ignore(): void {}

/** What a caller hears whose deadline passed. */
export function timeoutError(timeoutMs: Milliseconds): StorageError {
  return new StorageError(`Redis did not answer within ${Math.round(timeoutMs)} ms.`);
}

/**
 * What a caller hears when the client rejected a command; what it said is the `cause`.
 *
 * Of a server that cannot be reached ioredis says only how often it tried: why, the connection said.
 */
export function failure(cause: unknown, connectionError?: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  const isUnreachable = cause instanceof Error && cause.name === "MaxRetriesPerRequestError";
  const reason = isUnreachable ? (connectionError ?? cause) : cause;
  const said = reason instanceof Error ? reason.message : String(reason);
  return new StorageError(`Redis failed: ${said}`, { cause });
}
