import type { Milliseconds } from "../core/clock.js";

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
