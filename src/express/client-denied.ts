import type { Milliseconds } from "../core/clock.js";
import { brandErrorClass, ExpressLimitsError } from "../core/errors.js";

/** A request was refused because its client is on the deny list: 403, and no limit was charged. */
export class ClientDenied extends ExpressLimitsError {
  override readonly name = "ClientDenied";
  override readonly code = "CLIENT_DENIED";
  readonly status = 403;
  readonly statusCode = 403;
  readonly expose = true;
  /** Who was denied: the key, or the address. */
  readonly key: string;
  /** Until the entry expires: `Infinity` for one that does not. */
  readonly retryAfterMs: Milliseconds;

  constructor(key: string, retryAfterMs: Milliseconds = Number.POSITIVE_INFINITY) {
    super("Forbidden");
    this.key = key;
    this.retryAfterMs = retryAfterMs;
  }
}

brandErrorClass(ClientDenied, "ClientDenied");
