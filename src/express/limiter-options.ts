import type { Express, Request } from "express";
import type { Clock, Milliseconds } from "../core/clock.js";
import type { Limits } from "../core/rate-limiter.js";
import type { Storage } from "../core/storage.js";
import type { StrategyName } from "../core/strategy.js";
import type { ListEntry } from "./client-list.js";
import type { Logger } from "./events.js";
import type { HeaderNames, StandardHeaders } from "./headers.js";
import type { KeyFunction } from "./key-functions.js";
import type {
  BreachHandler,
  DeductWhen,
  ErrorMessage,
  LimitSource,
  RequestFunction,
} from "./limit-options.js";

/** Options of `Limiter`. All are optional. */
export interface LimiterOptions {
  /** Mounts the middleware on this app at once, in front of all routes that follow. */
  readonly app?: Express | undefined;
  /** The kill switch; also a property of the limiter at run time. Off means off for everything. @default true */
  readonly enabled?: boolean | undefined;
  /** Who is counted. @default remoteAddress() */
  readonly keyFunc?: KeyFunction | undefined;
  /** First part of every stored key: text of at least one character. @default "express-limits" */
  readonly keyPrefix?: string | undefined;

  /** Limits for every route that has none of its own; each route has its own counter. @default none */
  readonly defaultLimits?: LimitSource | readonly LimitSource[] | undefined;
  /** A counter for each method, for defaults given as text or function. @default false */
  readonly defaultLimitsPerMethod?: boolean | undefined;
  /** Lifts defaults given as text or function for a request. */
  readonly defaultLimitsExemptWhen?: RequestFunction<boolean> | undefined;
  /** Gives back the charge of defaults given as text or function when it says `false` of an answer. */
  readonly defaultLimitsDeductWhen?: DeductWhen | undefined;
  /** Units a request takes of defaults given as text or function. @default 1 */
  readonly defaultLimitsCost?: number | RequestFunction<number> | undefined;

  /** Limits over all routes together, requests that no route answers included. @default none */
  readonly applicationLimits?: LimitSource | readonly LimitSource[] | undefined;
  /** @default false */
  readonly applicationLimitsPerMethod?: boolean | undefined;
  readonly applicationLimitsExemptWhen?: RequestFunction<boolean> | undefined;
  readonly applicationLimitsDeductWhen?: DeductWhen | undefined;
  /** @default 1 */
  readonly applicationLimitsCost?: number | RequestFunction<number> | undefined;

  /** Limits on breaches: who breaks limits too often is refused everything until their window ends. @default none */
  readonly metaLimits?: Limits | undefined;
  /** Called once for a request that a meta limit refuses; may answer it. */
  readonly onMetaBreach?: BreachHandler | undefined;

  /** Who is never limited: addresses, networks, keys, functions. Wins over `denyList`. @default none */
  readonly allowList?: readonly ListEntry[] | undefined;
  /** Who is refused with 403 before anything is counted. @default none */
  readonly denyList?: readonly ListEntry[] | undefined;
  /**
   * Look up `allow()` and `deny()` entries in the storage for every request, so that all processes see them: one
   * trip more. @default false
   */
  readonly sharedLists?: boolean | undefined;

  /** Where the counters live: an instance. Not together with `storageUri`. @default memory */
  readonly storage?: Storage | undefined;
  /** `memory://`, `redis://`, `memcached://` and others; see docs/storages.md. @default "memory://" */
  readonly storageUri?: string | undefined;
  /** Options for the storage that `storageUri` makes. */
  readonly storageOptions?: Readonly<Record<string, unknown>> | undefined;
  /** A storage that does not answer in time has failed: text or milliseconds, up to 24 days. @default "500ms" */
  readonly storageTimeout?: string | Milliseconds | undefined;
  /** How limits count, unless a limit says otherwise. @default "fixed-window" */
  readonly strategy?: StrategyName | undefined;

  /** The classic headers on every limited answer. @default true */
  readonly headersEnabled?: boolean | undefined;
  /** Other names for headers, or `false` to drop one. @default X-RateLimit-Limit, -Remaining, -Reset, Retry-After */
  readonly headerNames?: HeaderNames | undefined;
  /** How `Retry-After` tells the wait. @default "delta-seconds" */
  readonly retryAfter?: "delta-seconds" | "http-date" | undefined;
  /** Standard headers beside the classic ones. @default false */
  readonly standardHeaders?: StandardHeaders | undefined;

  /** `false`: every limit is charged on its own, and all breaches are reported. @default true */
  readonly failOnFirstBreach?: boolean | undefined;
  /** Called once for a refused request; may answer it. */
  readonly onBreach?: BreachHandler | undefined;
  /** What a refused client reads. @default the limit as text, "10 per 1 hour" */
  readonly errorMessage?: ErrorMessage | undefined;
  /** Hand refusals to error handlers instead of answering. @default false */
  readonly passBreachToNext?: boolean | undefined;

  /** The storage failed and there is no fallback: let the request pass, unlimited. @default false */
  readonly swallowErrors?: boolean | undefined;
  /** Count in memory, with the same limits, while the storage is away. @default false */
  readonly inMemoryFallbackEnabled?: boolean | undefined;
  /** Count in memory with these limits instead while the storage is away; each route has its own counter. */
  readonly inMemoryFallback?: Limits | undefined;

  /** Requests that no route answers: one default counter for each key, or left to application limits. @default "limit" */
  readonly unmatched?: "limit" | "skip" | undefined;
  /** Names the route in keys of default limits and of limits on routes. @default the route's pattern */
  readonly requestIdentifier?: ((req: Request, pattern: string | undefined) => string) | undefined;
  /** Wall clock in decisions; drives a memory storage too. @default the system's */
  readonly clock?: Clock | undefined;
  /** Hears of trouble. @default none */
  readonly logger?: Logger | undefined;
}

/** Names of all options, to catch misspelt ones. */
export const LIMITER_OPTION_NAMES: readonly (keyof LimiterOptions)[] = [
  "app",
  "enabled",
  "keyFunc",
  "keyPrefix",
  "defaultLimits",
  "defaultLimitsPerMethod",
  "defaultLimitsExemptWhen",
  "defaultLimitsDeductWhen",
  "defaultLimitsCost",
  "applicationLimits",
  "applicationLimitsPerMethod",
  "applicationLimitsExemptWhen",
  "applicationLimitsDeductWhen",
  "applicationLimitsCost",
  "metaLimits",
  "onMetaBreach",
  "allowList",
  "denyList",
  "sharedLists",
  "storage",
  "storageUri",
  "storageOptions",
  "storageTimeout",
  "strategy",
  "headersEnabled",
  "headerNames",
  "retryAfter",
  "standardHeaders",
  "failOnFirstBreach",
  "onBreach",
  "errorMessage",
  "passBreachToNext",
  "swallowErrors",
  "inMemoryFallbackEnabled",
  "inMemoryFallback",
  "unmatched",
  "requestIdentifier",
  "clock",
  "logger",
];
