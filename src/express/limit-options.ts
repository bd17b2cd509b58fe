import type { Request, Response } from "express";
import type { Milliseconds } from "../core/clock.js";
import type { Limits } from "../core/rate-limiter.js";
import type { StrategyName } from "../core/strategy.js";
import type { MaybePromise } from "../core/when-ready.js";
import type { KeyFunction } from "./key-functions.js";
import type { RateLimitExceeded } from "./rate-limit-exceeded.js";

/**
 * A user's function of the request. Its parameters may be typed more narrowly than Express's plain `Request`: by
 * the route's parameters, or by what authentication adds.
 */
export type UserFunction<Parameters extends unknown[], Result> = {
  bivariant(...parameters: Parameters): Result;
}["bivariant"];

/** Decides something about a request; may be async. */
export type RequestFunction<T> = UserFunction<[req: Request, res: Response], MaybePromise<T>>;

/** What a limit function is told beside the request. */
export interface LimitContext {
  /** Who will be counted. */
  readonly key: string;
  /** What will be counted: `"GET /search"`. */
  readonly scope: string;
}

/**
 * Gives the limits for one request, a plan's for instance. `""`, `null`, `undefined` and `[]` mean "none of my
 * own": the default limits apply. Text that cannot be read is reported and the defaults apply.
 */
export type LimitFunction = UserFunction<
  [req: Request, res: Response, context: LimitContext],
  MaybePromise<Limits | null | undefined>
>;

/** A limit: text, a `RateLimit`, a list, or a function of the request that returns one. */
export type LimitSource = Limits | LimitFunction;

/** What a refused client reads: text, an object sent as JSON, or a function of the request. */
export type ErrorMessage =
  | string
  | Readonly<Record<string, unknown>>
  | UserFunction<
      [req: Request, res: Response, breach: RateLimitExceeded],
      MaybePromise<string | Readonly<Record<string, unknown>> | undefined>
    >;

/**
 * Called once for a refused request; may answer it, with a status of its own. Unless it has when it returns, or when its
 * promise resolves, the usual 429 goes out; an answer that `res.render`, `res.sendFile` or a stream has begun is one.
 */
export type BreachHandler = UserFunction<[req: Request, res: Response, breach: RateLimitExceeded], unknown>;

/** Asked once the response is there: should this request count? */
export type DeductWhen = RequestFunction<boolean>;

/** Options of a single limit. */
export interface LimitOptions {
  /**
   * Names the limit in `RateLimit-Policy` and in events: printable ASCII. @default made from the limit, "10-per-hour"
   */
  readonly name?: string | undefined;
  /** Who is counted. @default the limiter's */
  readonly keyFunc?: KeyFunction | undefined;
  /** Splits the counter further: text, or a function of the request. */
  readonly scope?: string | RequestFunction<string> | undefined;
  /** On a path or router: a counter for each route below instead of one for the mount. @default false */
  readonly perEndpoint?: boolean | undefined;
  /** Units that one request takes: a whole number from 0, or a function of the request. @default 1 */
  readonly cost?: number | RequestFunction<number> | undefined;
  /** Only these methods are limited; for others the default limits come back. GET covers HEAD. @default all */
  readonly methods?: readonly string[] | undefined;
  /** A counter for each method. @default false */
  readonly perMethod?: boolean | undefined;
  /** Lifts this limit for a request. The default limits do not come back. */
  readonly exemptWhen?: RequestFunction<boolean> | undefined;
  /**
   * Charges first, and gives back once the response is there and this says `false`. When the client hangs up
   * it is asked when the handler ends its response; if that never comes, the charge stays.
   */
  readonly deductWhen?: DeductWhen | undefined;
  /**
   * Do the default limits give way to this one? They do for every request to the route, also for one that a handler
   * before the limit answers. @default true
   */
  readonly overrideDefaults?: boolean | undefined;
  /** @default the limiter's */
  readonly onBreach?: BreachHandler | undefined;
  /** @default the limiter's */
  readonly errorMessage?: ErrorMessage | undefined;
  /** Limits on breaches of this limit: who breaks it too often is refused by it until their window ends. */
  readonly metaLimits?: Limits | undefined;
  /** After a breach, refuse for this long: `"5m"` or milliseconds. The first refusal tells the whole wait. */
  readonly block?: string | Milliseconds | undefined;
  /** @default the limiter's */
  readonly strategy?: StrategyName | undefined;
  /** Whole capacity of a `"token-bucket"`, at least 1. @default the limit's amount */
  readonly burst?: number | undefined;
  /** Count and tell, but never refuse: `req.rateLimit.breached` and the event say what would have been. @default false */
  readonly observe?: boolean | undefined;
  /** Show this limit in headers? @default true */
  readonly headers?: boolean | undefined;
}

/** Options of {@link Limiter.sharedLimit}: those of a limit, and the scope by which it is shared. */
export interface SharedLimitOptions extends LimitOptions {
  /** All limits with this scope share their counters: text, or a function of the request. */
  readonly scope: string | RequestFunction<string>;
}

/** Names of all options, to catch misspelt ones. */
export const LIMIT_OPTION_NAMES: readonly (keyof LimitOptions)[] = [
  "name",
  "keyFunc",
  "scope",
  "perEndpoint",
  "cost",
  "methods",
  "perMethod",
  "exemptWhen",
  "deductWhen",
  "overrideDefaults",
  "onBreach",
  "errorMessage",
  "metaLimits",
  "block",
  "strategy",
  "burst",
  "observe",
  "headers",
];
