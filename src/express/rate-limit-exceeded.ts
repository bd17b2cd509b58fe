import type { Milliseconds } from "../core/clock.js";
import type { Decision, LimitDecision } from "../core/decision.js";
import { brandErrorClass, ExpressLimitsError } from "../core/errors.js";

/** What is needed to tell a refusal. */
export interface Refusal {
  readonly decision: Decision;
  /** The limits that refused. */
  readonly limits: readonly LimitDecision[];
  /** The longest wait of all, blocks included. */
  readonly retryAfterMs: Milliseconds;
  /** Policy names, as in `RateLimit-Policy`. */
  readonly policies: readonly string[];
  readonly isMeta: boolean;
}

/**
 * A request was refused: what `onBreach` gets, what `check()` throws, what an error handler finds when
 * breaches are passed on.
 *
 * @example
 * app.use((err, req, res, next) => {
 *   if (err instanceof RateLimitExceeded) res.status(429).json({ error: err.message, retryAfter: err.retryAfter });
 *   else next(err);
 * });
 */
export class RateLimitExceeded extends ExpressLimitsError {
  override readonly name = "RateLimitExceeded";
  override readonly code = "RATE_LIMIT_EXCEEDED";
  readonly status = 429;
  readonly statusCode = 429;
  /** The message may be shown to the client. */
  readonly expose = true;
  /** Everything that was decided, refusals and passes. Its own fields are those of the longest wait. */
  readonly decision: Decision;
  /** The limits that refused. */
  readonly limits: readonly LimitDecision[];
  /** Until the same request would pass, if nobody else spends: `Infinity` when it never can. */
  readonly retryAfterMs: Milliseconds;
  /** Names of the policies that refused, as in the `RateLimit-Policy` header. */
  readonly policies: readonly string[];
  /** A limit on breaches (or a block) refused, not a limit on requests. */
  readonly isMeta: boolean;

  constructor(refusal: Refusal, message: string = refusal.decision.limit.toString()) {
    super(message);
    this.decision = refusal.decision;
    this.limits = refusal.limits;
    this.retryAfterMs = refusal.retryAfterMs;
    this.policies = refusal.policies;
    this.isMeta = refusal.isMeta;
  }

  /** The wait in whole seconds, rounded up: what `Retry-After` says. `Infinity` when no wait helps. */
  get retryAfter(): number {
    return Math.ceil(this.retryAfterMs / 1000);
  }
}

brandErrorClass(RateLimitExceeded, "RateLimitExceeded");
