import type { Milliseconds } from "../core/clock.js";
import type { LocalInstant } from "../core/deadlines.js";
import type { ServerInstant } from "./wire.js";

/** How fast two clocks may drift apart: what NTP corrects at most, in milliseconds for each millisecond. */
const MOST_DRIFT = 0.0005;

/** What was learned longer ago is worth nothing: drift has eaten into deadlines. */
const KNOWN_FOR_MS: Milliseconds = 60_000;

/** When a question was sent, when its reply came, and what the server's clock showed in between. */
export interface ClockReading {
  readonly sentAt: LocalInstant;
  readonly receivedAt: LocalInstant;
  readonly serverAt: ServerInstant;
}

/**
 * What the server's clock shows at least, learned from replies.
 *
 * A reply that came at `receivedAt` was made before that, so the server is at least `serverAt - receivedAt`
 * ahead of us; the highest such bound is the best one. A deadline told by it is never later than the true one:
 * what runs on the server after a caller gave up finds its deadline passed. A reading that contradicts the
 * bound shows that the server's clock was set back, or that it is another server: then it replaces the bound.
 */
export class ServerClock {
  #aheadMs: Milliseconds = Number.NaN;
  #learnedAt: LocalInstant = Number.NEGATIVE_INFINITY;

  /** True when it can tell a deadline. */
  isKnown(now: LocalInstant): boolean {
    return now - this.#learnedAt < KNOWN_FOR_MS;
  }

  /** The server's instant that is certainly not after `at`. Long ago when nothing is known of the server. */
  earliest(at: LocalInstant, now: LocalInstant): ServerInstant {
    return this.isKnown(now) ? Math.floor(at + this.#boundAt(now)) : 0;
  }

  /** Takes in what a reply shows. */
  learn({ sentAt, receivedAt, serverAt }: ClockReading): void {
    const atLeast = serverAt - receivedAt;
    // The server cuts its clock to whole milliseconds.
    const atMost = serverAt + 1 - sentAt;
    const known = this.isKnown(receivedAt) ? this.#boundAt(receivedAt) : Number.NEGATIVE_INFINITY;
    this.#aheadMs = known > atMost ? atLeast : Math.max(known, atLeast);
    this.#learnedAt = receivedAt;
  }

  /** To be called when another server may answer next. */
  forget(): void {
    this.#learnedAt = Number.NEGATIVE_INFINITY;
  }

  #boundAt(now: LocalInstant): Milliseconds {
    return this.#aheadMs - (now - this.#learnedAt) * MOST_DRIFT;
  }
}
