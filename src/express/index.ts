export { ClientDenied } from "./client-denied.js";
export type { ListEntry } from "./client-list.js";
export type { LimiterEventName, LimiterEvents, LimiterListener, Logger } from "./events.js";
export type { Exempt, ExemptOptions } from "./exemptions.js";
export type { HeaderNames, StandardHeaders } from "./headers.js";
export type { Client, CounterFilter } from "./inspect.js";
export {
  byBody,
  byHeader,
  byUser,
  type KeyFunction,
  type RemoteAddressOptions,
  remoteAddress,
} from "./key-functions.js";
export type {
  BreachHandler,
  DeductWhen,
  ErrorMessage,
  LimitContext,
  LimitFunction,
  LimitOptions,
  LimitSource,
  RequestFunction,
  SharedLimitOptions,
} from "./limit-options.js";
export type { CurrentLimit } from "./limiter.js";
export { Limiter } from "./limiter.js";
export type { LimiterOptions } from "./limiter-options.js";
export type { ListOptions } from "./lists.js";
export { type LoginGuardOptions, loginGuard } from "./login-guard.js";
export type { LimitMiddleware } from "./middleware.js";
export { RateLimitExceeded } from "./rate-limit-exceeded.js";
export type { RateLimitInfo } from "./rate-limit-info.js";
