import type { RateLimitInfo as Info } from "./express/index.js";

// The limiter for Express, its errors, who is counted, and the ready-made protection of a login form.

export {
  byBody,
  byHeader,
  byUser,
  ClientDenied,
  Limiter,
  loginGuard,
  RateLimitExceeded,
  remoteAddress,
} from "./express/index.js";

// What a limit can be given, what users can hook in, and what they are told.

export type {
  BreachHandler,
  Client,
  CounterFilter,
  CurrentLimit,
  DeductWhen,
  ErrorMessage,
  Exempt,
  ExemptOptions,
  HeaderNames,
  KeyFunction,
  LimitContext,
  LimiterEventName,
  LimiterEvents,
  LimiterListener,
  LimiterOptions,
  LimitFunction,
  LimitMiddleware,
  LimitOptions,
  LimitSource,
  ListEntry,
  ListOptions,
  Logger,
  LoginGuardOptions,
  RateLimitInfo,
  RemoteAddressOptions,
  RequestFunction,
  SharedLimitOptions,
  StandardHeaders,
} from "./express/index.js";

// Limits, the engine, the contracts and the errors: all that knows nothing of Express.

export * from "./core/index.js";

// What a limiter puts on a request.

declare global {
  namespace Express {
    interface Request {
      /** What `express-limits` decided about this request; `undefined` when nothing limited it. */
      rateLimit?: Info;
    }
  }
}
