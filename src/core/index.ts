// Limits: what may be asked, and how it is written.

// The storage that is always there.
export { MemoryStorage, type MemoryStorageOptions } from "../memory/index.js";
// Time.
export { type Clock, type EpochMilliseconds, type Milliseconds, systemClock } from "./clock.js";
// Deciding: the engine and what it answers.
export type { Decision, LimitDecision } from "./decision.js";
// Errors.
export {
  ConfigurationError,
  type ErrorCode,
  ExpressLimitsError,
  LimitSyntaxError,
  StorageError,
  UnsupportedStrategyError,
} from "./errors.js";
// The typed literal: what makes a misspelt limit a compile error.
export type { CheckLimits, InvalidLimit, LimitsInput, LimitText } from "./limit-text.js";
export { parseLimit, parseLimits } from "./parse-limit.js";

// Strategies and storages: the contracts.
export { createPolicy, STRATEGY_NAMES } from "./policy.js";
export { RateLimit, type Unit } from "./rate-limit.js";
export { type HitCallOptions, type Limits, RateLimiter, type RateLimiterOptions } from "./rate-limiter.js";
export type { Charge, Claim, HitOptions, Storage } from "./storage.js";
export type {
  Policy,
  Receipt,
  StorageInstant,
  Strategy,
  StrategyName,
  Transition,
  Verdict,
} from "./strategy.js";
