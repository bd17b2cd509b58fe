// The limiter for Express.

// Limits, the engine, the contracts and the errors: all that knows nothing of Express.
export * from "./core/index.js";
// What a limit can be given, and what users can hook in.
export type {
  BreachHandler,
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
// Ready-made protection of a login form.
export {
  byBody,
  byHeader,
  byUser,
  Limiter,
  loginGuard,
  RateLimitExceeded,
  remoteAddress,
} from "./express/index.js";
