import type { IncomingMessage } from "node:http";
import type { EpochMilliseconds } from "../core/clock.js";
import { nodeModule } from "./node-modules.js";
import type { RateLimitInfo } from "./rate-limit-info.js";
import { policyToTell, type RequestClaim } from "./request-state.js";
import { nearestToItsEnd } from "./shown-limits.js";

/** Prototypes whose requests know `rateLimit`. */
const prepared = new WeakSet<object>();

/**
 * Makes `req.rateLimit` readable: once for all requests of an app, on their prototype, since a property added to
 * each request would cost more than the limit itself. What another middleware assigns there stands.
 */
export function offerRateLimit(req: IncomingMessage): void {
  const prototype: object = Object.getPrototypeOf(req);
  if (prepared.has(prototype)) return;
  if (prototype === nodeModule("node:http").IncomingMessage.prototype) {
    Object.defineProperty(req, "rateLimit", ACCESSOR);
    return;
  }
  prepared.add(prototype);
  if (!Object.hasOwn(prototype, "rateLimit")) Object.defineProperty(prototype, "rateLimit", ACCESSOR);
}

const ACCESSOR: PropertyDescriptor & ThisType<object> = {
  configurable: true,
  enumerable: true,
  get() {
    return rateLimitOf(this);
  },
  set(value: unknown) {
    Object.defineProperty(this, "rateLimit", { value, configurable: true, enumerable: true, writable: true });
  },
};

/** What `req.rateLimit` gives: of several limiters the one whose headers are shown. */
export function rateLimitOf(req: object): RateLimitInfo | undefined {
  const state = nearestToItsEnd(req);
  if (state?.shown === undefined) return undefined;
  state.info ??= toInfo(state.shown, state.shownAt);
  return state.info;
}

function toInfo(claim: RequestClaim, at: EpochMilliseconds): RateLimitInfo {
  const { verdict } = claim;
  const { limit, capacity } = policyToTell(claim);
  return {
    limit: capacity,
    used: capacity - verdict.remaining,
    remaining: verdict.remaining,
    resetTime: new Date(at + verdict.resetAfterMs),
    retryAfterMs: verdict.allowed ? 0 : verdict.retryAfterMs,
    breached: !verdict.allowed,
    key: claim.who,
    policy: limit.toString(),
  };
}
