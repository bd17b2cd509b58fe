import type { EpochMilliseconds, Milliseconds } from "../core/clock.js";
import type { DecidedClaim } from "./request-state.js";

/**
 * `req.rateLimit`: what was decided about this request, in the names that Express users know.
 *
 * Of several limits the one that headers show.
 */
export interface RateLimitInfo {
  /** The amount (or burst): for 10 per hour 10. */
  readonly limit: number;
  /** Units spent: for 10 per hour after 4 requests 4. */
  readonly used: number;
  /** Whole units left: for 10 per hour after 4 requests 6. */
  readonly remaining: number;
  /** When more becomes available than now. */
  readonly resetTime: Date;
  /** How long until a refused request would pass; 0 when it passed. */
  readonly retryAfterMs: Milliseconds;
  /** The limit refused, or would have if it did more than observe. */
  readonly breached: boolean;
  /** Who was counted, as the key function returned it. */
  readonly key: string;
  /** The limit as text: `"10 per 1 hour"`. */
  readonly policy: string;
}

/** Computed when read: most requests never look. */
export class RequestRateLimit implements RateLimitInfo {
  readonly #decided: DecidedClaim;
  readonly #at: EpochMilliseconds;

  constructor(decided: DecidedClaim, at: EpochMilliseconds) {
    this.#decided = decided;
    this.#at = at;
  }

  get limit(): number {
    return this.#decided.claim.policy.capacity;
  }

  get used(): number {
    return this.limit - this.remaining;
  }

  get remaining(): number {
    return this.#decided.verdict.remaining;
  }

  get resetTime(): Date {
    return new Date(this.#at + this.#decided.verdict.resetAfterMs);
  }

  get retryAfterMs(): Milliseconds {
    return this.breached ? this.#decided.verdict.retryAfterMs : 0;
  }

  get breached(): boolean {
    return !this.#decided.verdict.allowed;
  }

  get key(): string {
    return this.#decided.claim.who;
  }

  get policy(): string {
    return this.#decided.claim.policy.limit.toString();
  }

  toJSON(): RateLimitInfo {
    const { limit, used, remaining, resetTime, retryAfterMs, breached, key, policy } = this;
    return { limit, used, remaining, resetTime, retryAfterMs, breached, key, policy };
  }
}

declare global {
  namespace Express {
    interface Request {
      /** What `express-limits` decided about this request; `undefined` when nothing limited it. */
      rateLimit?: RateLimitInfo;
    }
  }
}
