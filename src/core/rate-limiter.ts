import { checkNames } from "./check-names.js";
import { ClientClaim, isSamePlace } from "./claim.js";
import type { Clock, EpochMilliseconds } from "./clock.js";
import { systemClock } from "./clock.js";
import type { Decision, LimitDecision, NamedClaim } from "./decision.js";
import { limitDecision, shownIndex, verdictAt } from "./decision.js";
import { describe } from "./describe.js";
import { ConfigurationError, UnsupportedStrategyError } from "./errors.js";
import { escapeKeyPart, KeyPlace, keyHead } from "./key.js";
import { parseLimits } from "./parse-limit.js";
import { createPolicy } from "./policy.js";
import { RateLimit } from "./rate-limit.js";
import type { Storage } from "./storage.js";
import { ALL_OR_NOTHING } from "./storage.js";
import type { Policy, StrategyName, Verdict } from "./strategy.js";
import type { MaybePromise } from "./when-ready.js";
import { isPromise, whenReady } from "./when-ready.js";

/** First part of every stored key when no `keyPrefix` is given. */
export const DEFAULT_KEY_PREFIX = "express-limits";

/** One limit or several: text, values, or a list of both. */
export type Limits = string | RateLimit | readonly (string | RateLimit)[];

/** Options of {@link RateLimiter}. */
export interface RateLimiterOptions {
  /** Where the counters live. */
  readonly storage: Storage;
  /** How limits count, unless a call says otherwise. @default "fixed-window" */
  readonly strategy?: StrategyName | undefined;
  /** Tells the wall time in decisions, and drives a storage that has no better clock. @default the system's */
  readonly clock?: Clock | undefined;
  /** First part of every stored key. @default "express-limits" */
  readonly keyPrefix?: string | undefined;
}

/** Options of one {@link RateLimiter.hit} or `test`. */
export interface HitCallOptions {
  /** What is counted: calls with the same scope share their counters. @default "default" */
  readonly scope?: string | undefined;
  /** Units to charge: a whole number from 0; 0 only looks. @default 1 */
  readonly cost?: number | undefined;
  /** @default the limiter's */
  readonly strategy?: StrategyName | undefined;
  /** Whole capacity, for `"token-bucket"` only. @default the limit's amount */
  readonly burst?: number | undefined;
}

const OPTION_NAMES: readonly (keyof RateLimiterOptions)[] = ["storage", "strategy", "clock", "keyPrefix"];
const NO_OPTIONS: HitCallOptions = {};

/** A policy and where its keys are. */
interface Counter {
  readonly policy: Policy;
  readonly place: KeyPlace;
}

/** What a call meant, and the counters that followed from it. */
interface KnownCounters extends Pick<HitCallOptions, "scope" | "strategy" | "burst"> {
  readonly limits?: Limits;
  readonly counters: readonly Counter[];
}

/** Texts parsed before, for callers that pass them anew with every hit. */
const MOST_REMEMBERED_LIMITS = 1000;

/**
 * The engine without Express: limits, an identity and a storage make a decision.
 *
 * Answers at once when the storage does (memory), else with a promise; `await` works for both. A refusal is a
 * decision and not an error; the storage's failures are thrown as they come.
 *
 * @example
 * const limiter = new RateLimiter({ storage: new MemoryStorage() });
 * const decision = await limiter.hit("10 per minute; 100 per day", "user-42");
 * if (!decision.allowed) console.log(`again in ${decision.retryAfterMs} ms`);
 */
export class RateLimiter {
  readonly storage: Storage;
  readonly strategy: StrategyName;
  readonly #clock: Clock;
  readonly #head: string;
  readonly #places = new Map<string, Map<string, KeyPlace>>();
  readonly #policies = new Map<string, readonly Policy[]>();
  #lastCounters: KnownCounters = { counters: [] };

  /** Throws `ConfigurationError` for an option that does not exist, and without a storage. */
  constructor(options: RateLimiterOptions) {
    checkOptions(options);
    this.storage = options.storage;
    this.strategy = options.strategy ?? "fixed-window";
    this.#clock = options.clock ?? systemClock;
    this.#head = keyHead(options.keyPrefix ?? DEFAULT_KEY_PREFIX);
    if (options.clock !== undefined) this.storage.useClock?.(options.clock);
    checkSupport(this.storage, this.strategy);
  }

  /** Charges every limit, or none if one has no room. */
  hit(limits: Limits, key: string, options: HitCallOptions = NO_OPTIONS): MaybePromise<Decision> {
    const claims = this.#claims(limits, key, options);
    const verdicts = this.storage.hit(claims, ALL_OR_NOTHING);
    // Written out: `whenReady` would make a function on every hit.
    return isPromise(verdicts)
      ? verdicts.then((decided) => this.#decision(claims, decided))
      : toDecision(claims, verdicts, this.#decidedAt());
  }

  /** Says what {@link hit} would say now, and charges nothing. */
  test(limits: Limits, key: string, options: HitCallOptions = {}): MaybePromise<Decision> {
    const claims = this.#claims(limits, key, options);
    return whenReady(this.storage.test(claims), (verdicts) => this.#decision(claims, verdicts));
  }

  /** Forgets what this key spent of these limits. */
  clear(limits: Limits, key: string, options: HitCallOptions = {}): MaybePromise<void> {
    return this.storage.clear(this.#claims(limits, key, options));
  }

  /** Forgets everything under this limiter's prefix. */
  reset(): MaybePromise<void> {
    return this.storage.reset(this.#head);
  }

  #claims(limits: Limits, key: string, options: HitCallOptions): ClientClaim[] {
    const { scope = "default", cost = 1 } = options;
    checkCost(cost);
    checkKey(key);
    const counters = this.#countersOf(limits, scope, options);
    const only = counters[0];
    if (only !== undefined && counters.length === 1) {
      return [new ClientClaim(only.policy, only.place, key, scope, cost)];
    }
    // A list that grows takes room for 17 at once, and `map` makes a function.
    const claims = new Array<ClientClaim>(counters.length);
    for (let i = 0; i < counters.length; i++) {
      const counter = counters[i];
      if (counter !== undefined) claims[i] = new ClientClaim(counter.policy, counter.place, key, scope, cost);
    }
    return claims;
  }

  /** Hot: most callers pass the same text in every call. */
  #countersOf(limits: Limits, scope: string, options: HitCallOptions): readonly Counter[] {
    const strategy = options.strategy ?? this.strategy;
    const { burst } = options;
    const last = this.#lastCounters;
    if (
      typeof limits === "string" &&
      last.limits === limits &&
      last.scope === scope &&
      last.strategy === strategy &&
      last.burst === burst
    ) {
      return last.counters;
    }
    const counters: Counter[] = [];
    for (const policy of this.#policiesOf(limits, options)) {
      const place = this.#placeOf(policy, scope);
      if (!counters.some((known) => isSamePlace(known.place, place))) counters.push({ policy, place });
    }
    this.#lastCounters = { limits, scope, strategy, burst, counters };
    return counters;
  }

  #placeOf(policy: Policy, scope: string): KeyPlace {
    let places = this.#places.get(scope);
    if (places === undefined) {
      if (this.#places.size >= MOST_REMEMBERED_LIMITS) this.#places.clear();
      places = new Map();
      this.#places.set(scope, places);
    }
    let place = places.get(policy.id);
    if (place === undefined) {
      place = new KeyPlace(this.#head, sharedCounter(scope), policy.id);
      if (places.size < MOST_REMEMBERED_LIMITS) places.set(policy.id, place);
    }
    return place;
  }

  #policiesOf(limits: Limits, options: HitCallOptions): readonly Policy[] {
    const strategy = options.strategy ?? this.strategy;
    if (typeof limits !== "string") return toPolicies(limits, strategy, options.burst, this.storage);
    const name = `${strategy} ${options.burst ?? ""} ${limits}`;
    let policies = this.#policies.get(name);
    if (policies === undefined) {
      policies = toPolicies(limits, strategy, options.burst, this.storage);
      if (this.#policies.size >= MOST_REMEMBERED_LIMITS) this.#policies.clear();
      this.#policies.set(name, policies);
    }
    return policies;
  }

  /** The wall time of what was just decided at once. */
  #decidedAt(): EpochMilliseconds {
    const at = this.#clock === systemClock ? this.storage.decidedAt : undefined;
    return at ?? this.#clock.now();
  }

  #decision(claims: readonly NamedClaim[], verdicts: readonly Verdict[]): Decision {
    return toDecision(claims, verdicts, this.#clock.now());
  }
}

/** The parts of all limits in a text, a value or a list, in order. */
export function toRateLimits(limits: Limits): RateLimit[] {
  if (limits instanceof RateLimit) return [limits];
  if (Array.isArray(limits)) return limits.flatMap((limit) => toRateLimits(limit));
  return parseLimits(limits as string);
}

/** Limits bound to a strategy that the storage can run. */
export function toPolicies(
  limits: Limits,
  strategy: StrategyName,
  burst: number | undefined,
  storage: Storage,
): Policy[] {
  const policies = toRateLimits(limits).map((limit) => createPolicy(limit, strategy, burst));
  checkSupport(storage, strategy);
  for (const policy of policies) storage.checkPolicy?.(policy);
  return policies;
}

/** Throws when the storage cannot run the strategy. */
export function checkSupport(storage: Storage, strategy: StrategyName): void {
  if (storage.strategies.includes(strategy)) return;
  throw new UnsupportedStrategyError(
    `The ${storage.name} storage cannot run strategy "${strategy}". It can: ${storage.strategies.join(", ")}.`,
  );
}

/** Returns a cost that can be charged, or throws. */
export function checkCost(cost: number, name = "cost"): number {
  if (Number.isSafeInteger(cost) && cost >= 0) return cost;
  throw new ConfigurationError(`${name} must be a whole number from 0, got ${describe(cost)}.`);
}

/** The counter's name for a shared scope; the same for routes and for calls outside HTTP. */
export function sharedCounter(scope: string): string {
  return `shared:${escapeKeyPart(scope)}`;
}

/** The public form of a list that was decided. */
export function toDecision(
  claims: readonly NamedClaim[],
  verdicts: readonly Verdict[],
  now: number,
): Decision {
  const limits = limitDecisions(claims, verdicts, now);
  const shown = limits[limits.length === 1 ? 0 : shownIndex(claims, verdicts)];
  if (shown === undefined) throw new ConfigurationError("At least one limit is needed, got an empty list.");
  return {
    limit: shown.limit,
    key: shown.key,
    scope: shown.scope,
    allowed: limits.length === 1 ? shown.allowed : limits.every(isAllowed),
    used: shown.used,
    remaining: shown.remaining,
    resetAt: shown.resetAt,
    retryAfterMs: shown.retryAfterMs,
    limits,
  };
}

function limitDecisions(
  claims: readonly NamedClaim[],
  verdicts: readonly Verdict[],
  now: number,
): LimitDecision[] {
  const claim = claims[0];
  const verdict = verdicts[0];
  if (claims.length === 1 && claim !== undefined && verdict !== undefined) {
    return [limitDecision(claim, verdict, now)];
  }
  const limits = new Array<LimitDecision>(claims.length);
  for (let i = 0; i < claims.length; i++) {
    const each = claims[i];
    if (each !== undefined) limits[i] = limitDecision(each, verdictAt(verdicts, i), now);
  }
  return limits;
}

function isAllowed({ allowed }: LimitDecision): boolean {
  return allowed;
}

function checkOptions(options: Partial<RateLimiterOptions> = {}): void {
  checkNames("RateLimiter", options, OPTION_NAMES);
  if (options.storage !== undefined) return;
  throw new ConfigurationError(
    "RateLimiter needs a storage: new RateLimiter({ storage: new MemoryStorage() }).",
  );
}

function checkKey(key: string): void {
  if (typeof key === "string" && key !== "") return;
  throw new ConfigurationError(`key must be a text that names who is counted, got ${describe(key)}.`);
}
