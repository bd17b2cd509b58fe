import type { Deadlines, LocalInstant } from "../core/deadlines.js";
import { StorageError } from "../core/errors.js";
import type { Verdict } from "../core/strategy.js";
import type { Call, ExpiryListener } from "./call.js";
import { PlainShapes } from "./plain-shape.js";
import { encodePlainHits } from "./plain-wire.js";
import { binaryScripts, type RedisClient } from "./redis-client.js";
import { ServerClock } from "./server-clock.js";
import { encodeCall, type Reply, type TimedQuestion } from "./wire.js";

/** Script calls on their way at once. More would only wait in the server's socket. */
const MOST_IN_FLIGHT = 4;

/** Script calls that all their callers have given up. Beyond these nothing more is sent. */
const MOST_ABANDONED = 32;

/** Calls that wait for their turn; further ones fail at once. */
const MOST_WAITING = 32_768;

/** How often a call is sent again because we had misjudged the server's clock. */
const MOST_TIMES_LATE = 3;

/** When an answer was asked for and when it came. */
export interface AnswerTimes {
  readonly sentAt: LocalInstant;
  readonly receivedAt: LocalInstant;
}

/** What a lane is given to work with. */
export interface LaneOptions {
  readonly client: RedisClient;
  /** Those that the calls have. */
  readonly deadlines: Deadlines;
  /** The most stored values that one script call reads. */
  readonly maxBatch: number;
  /** Replaces the server's clock in tests. */
  readonly testNow: () => number | undefined;
  /** What is known without asking. Asked again when the call's turn comes. */
  readonly answerLocally: (call: Call) => readonly Verdict[] | undefined;
  /** What callers hear of an error of the client. */
  readonly failure: (error: unknown) => StorageError;
  /** Told of every answer that came in time. */
  readonly onAnswer: (call: Call, verdicts: readonly Verdict[], times: AnswerTimes) => void;
  /** Told of an answer that nobody waits for any more. */
  readonly onUnwanted: (call: Call, verdicts: readonly Verdict[]) => void;
}

/**
 * The way to one server: calls of the same turn of the event loop travel together.
 *
 * When nothing is on its way a call leaves at the end of the current callback, and takes along what else was
 * asked in it. Otherwise it waits for the end of the turn, or for a place.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #clock = new ServerClock();
  readonly #shapes = new PlainShapes();
  #waiting: Call[] = [];
  readonly #inFlight = new Set<Flight>();
  readonly #abandoned = new Set<Flight>();
  #isScheduled = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Queues a call, behind those that came before. */
  ask(call: Call): void {
    if (this.#waiting.length >= MOST_WAITING) this.#waiting = this.#waiting.filter((one) => !one.isSettled);
    if (this.#waiting.length >= MOST_WAITING) {
      call.fail(new StorageError(`Redis is too slow: ${MOST_WAITING} decisions wait for it.`));
      return;
    }
    this.#waiting.push(call);
    this.#schedule();
  }

  /** To be called when the connection was lost: another server may be behind the next one. */
  forgetServer(): void {
    this.#clock.forget();
    this.#abandoned.clear();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0 || !this.#hasPlace()) return;
    this.#isScheduled = true;
    const flush = () => {
      this.#isScheduled = false;
      this.#flush();
    };
    if (this.#inFlight.size === 0) queueMicrotask(flush);
    else setImmediate(flush);
  }

  #hasPlace(): boolean {
    // Until the server's clock is known all calls are answered "late": one is enough to learn it.
    const most = this.#clock.isKnown(performance.now()) ? MOST_IN_FLIGHT : 1;
    return this.#inFlight.size < most && this.#abandoned.size < MOST_ABANDONED;
  }

  #flush(): void {
    while (this.#hasPlace()) {
      const batch = this.#takeBatch();
      if (batch.length === 0) return;
      for (const calls of byTag(batch)) this.#send(calls);
    }
  }

  #takeBatch(): Call[] {
    const { deadlines, maxBatch } = this.#options;
    const now = performance.now();
    const batch: Call[] = [];
    let size = 0;
    let taken = 0;
    for (const call of this.#waiting) {
      if (batch.length > 0 && size + call.size > maxBatch) break;
      taken++;
      if (call.isSettled) continue;
      const known = this.#options.answerLocally(call);
      if (known !== undefined) {
        call.succeed(known);
        continue;
      }
      deadlines.postponeOverdue(call, now);
      batch.push(call);
      size += call.size;
    }
    this.#waiting = this.#waiting.slice(taken);
    return batch;
  }

  /** A place is free again when the server has answered, or when nobody waits for the answer any more. */
  #send(calls: readonly Call[]): void {
    const flight: Flight = {
      calls,
      sentAt: performance.now(),
      waitingFor: calls.length,
      onExpired: () => this.#onExpired(flight),
    };
    this.#inFlight.add(flight);
    for (const call of calls) call.listener = flight;
    void this.#decide(flight).finally(() => this.#schedule());
  }

  #onExpired(flight: Flight): void {
    if (--flight.waitingFor > 0 || !this.#inFlight.delete(flight)) return;
    this.#abandoned.add(flight);
    this.#schedule();
  }

  async #decide(flight: Flight): Promise<void> {
    const { calls, sentAt } = flight;
    try {
      for (const call of calls) call.notAfter = this.#clock.earliest(call.deadlineAt, sentAt);
      const reply = await this.#run(calls);
      const receivedAt = performance.now();
      this.#land(flight);
      this.#clock.learn({ sentAt, receivedAt, serverAt: reply.serverAt });
      this.#handOut(calls, reply, { sentAt, receivedAt });
    } catch (error) {
      this.#land(flight);
      this.#fail(calls, error);
    }
  }

  /** What one call asked too much of is not to cost the others their answers; nothing was charged. */
  #fail(calls: readonly Call[], error: unknown): void {
    if (calls.length > 1 && isOfOneCall(error)) {
      for (const call of calls) if (!call.isSettled) this.#send([call]);
      return;
    }
    const failed = this.#options.failure(error);
    for (const call of calls) call.fail(failed);
  }

  #land(flight: Flight): void {
    this.#inFlight.delete(flight);
    this.#abandoned.delete(flight);
  }

  async #run(questions: readonly TimedQuestion[]): Promise<Reply> {
    const { client, testNow } = this.#options;
    const now = testNow();
    const call = encodePlainHits(questions, this.#shapes, now) ?? encodeCall(questions, now);
    const { script, keys, argument } = call;
    const scripts = binaryScripts(client);
    const reply = await scripts
      .evalshaBuffer(script.sha, keys.length, ...keys, argument)
      .catch((error: unknown) => {
        if (!isNoScript(error)) throw error;
        return scripts.evalBuffer(script.text, keys.length, ...keys, argument);
      });
    try {
      return call.decode(viewOf(reply));
    } catch (error) {
      throw new StorageError("Redis gave an answer that the script does not give.", { cause: error });
    }
  }

  #handOut(calls: readonly Call[], { answers }: Reply, times: AnswerTimes): void {
    const again: Call[] = [];
    for (let i = 0; i < calls.length; i++) {
      const call = calls[i] as Call;
      const answer = answers[i] ?? "late";
      if (answer === "late") {
        if (++call.timesLate < MOST_TIMES_LATE) again.push(call);
        else call.fail(new StorageError("Redis decided too late, and charged nothing."));
      } else if (call.isSettled) {
        this.#options.onUnwanted(call, answer);
      } else {
        this.#options.onAnswer(call, answer, times);
        call.succeed(answer);
      }
    }
    if (again.length > 0) this.#waiting = [...again, ...this.#waiting];
  }
}

/** A script call on its way. */
interface Flight extends ExpiryListener {
  readonly calls: readonly Call[];
  readonly sentAt: LocalInstant;
  /** How many callers have not given up. */
  waitingFor: number;
}

function viewOf(reply: unknown): DataView {
  if (!(reply instanceof Uint8Array)) throw new TypeError("The reply is not a string.");
  return new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

/** The scripts' own error: a client that has more limits in one counter than a value holds. */
function isOfOneCall(error: unknown): boolean {
  return error instanceof Error && error.message.includes("too many limits");
}

/** Calls whose keys lie together, each group in the order in which it was asked. */
function byTag(calls: readonly Call[]): Iterable<readonly Call[]> {
  const first = calls[0]?.tag;
  if (calls.every(({ tag }) => tag === first)) return [calls];
  const groups = new Map<string, Call[]>();
  for (const call of calls) {
    const group = groups.get(call.tag);
    if (group === undefined) groups.set(call.tag, [call]);
    else group.push(call);
  }
  return groups.values();
}
