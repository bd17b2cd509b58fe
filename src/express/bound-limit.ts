import type { Milliseconds } from "../core/clock.js";
import { describe } from "../core/describe.js";
import { parseDuration } from "../core/duration.js";
import { ConfigurationError } from "../core/errors.js";
import { RateLimit } from "../core/rate-limit.js";
import { checkCost, toPolicies } from "../core/rate-limiter.js";
import type { Storage } from "../core/storage.js";
import type { Policy, StrategyName } from "../core/strategy.js";
import { checkBooleans, checkFunctions, checkOption, checkOptionNames } from "./check-options.js";
import type { KeyFunction } from "./key-functions.js";
import { returnsAddresses } from "./key-functions.js";
import type { LimitFunction, LimitOptions, LimitSource } from "./limit-options.js";
import { LIMIT_OPTION_NAMES } from "./limit-options.js";
import { nodeModule } from "./node-modules.js";

/** Where a limit comes from, which decides what its counter is. */
export type LimitKind = "application" | "default" | "route" | "shared" | "meta" | "fallback";

/** A limit with everything that belongs to it, checked once. */
export interface BoundLimit {
  readonly kind: LimitKind;
  /** What is counted against; `undefined` when a function gives it for each request. */
  readonly policies: readonly Policy[] | undefined;
  readonly provider: LimitFunction | undefined;
  readonly options: LimitOptions;
  readonly keyFunc: KeyFunction;
  readonly countsAddresses: boolean;
  readonly strategy: StrategyName;
  /** Upper-case methods that are limited; HEAD counts as GET. */
  readonly methods: ReadonlySet<string> | undefined;
  readonly overridesDefaults: boolean;
  /** Limits on breaches of this limit. */
  readonly metaPolicies: readonly Policy[];
  readonly blockMs: Milliseconds | undefined;
  /** Nothing but the key has to be asked for each request. */
  readonly isPlain: boolean;
  /** It counts methods apart, or for a scope of its own: its counter is not all that its place would say. */
  readonly isSplit: boolean;
  /** Units that every request costs; 1 where a function says it. */
  readonly fixedCost: number;
}

/** What a limit takes from the limiter when it does not say itself. */
export interface BindingDefaults {
  readonly keyFunc: KeyFunction;
  readonly strategy: StrategyName;
  readonly storage: Storage;
}

/**
 * Checks a limit and its options, and parses what can be parsed.
 *
 * Throws `LimitSyntaxError` or `ConfigurationError`: a limit that is wrong fails when it is defined.
 */
export function bindLimit(
  kind: LimitKind,
  source: LimitSource,
  options: LimitOptions,
  defaults: BindingDefaults,
  where: string,
): BoundLimit {
  checkLimitOptions(where, options);
  const strategy = options.strategy ?? defaults.strategy;
  const keyFunc = options.keyFunc ?? defaults.keyFunc;
  const bound = {
    kind,
    ...resolveSource(source, strategy, options, defaults.storage, where),
    options,
    keyFunc,
    countsAddresses: returnsAddresses(keyFunc),
    strategy,
    methods: options.methods && new Set(options.methods.map(countedMethod)),
    overridesDefaults: options.overrideDefaults ?? true,
    metaPolicies:
      options.metaLimits === undefined
        ? []
        : toPolicies(options.metaLimits, defaults.strategy, undefined, defaults.storage),
    blockMs: options.block === undefined ? undefined : parseDuration(options.block, "block"),
  };
  return {
    ...bound,
    isPlain: isPlain(options) && bound.policies !== undefined,
    isSplit: options.perMethod === true || (kind !== "shared" && options.scope !== undefined),
    fixedCost: typeof options.cost === "number" ? options.cost : 1,
  };
}

/** The method under which a request is counted: HEAD counts as GET. */
export function countedMethod(method: string): string {
  const upper = method.toUpperCase();
  return upper === "HEAD" ? "GET" : upper;
}

/** Policies of limits that a function gave for one request. */
export function policiesOf(
  limits: Exclude<LimitSource, LimitFunction>,
  bound: BoundLimit,
  storage: Storage,
): readonly Policy[] {
  return toPolicies(limits, bound.strategy, bound.options.burst, storage);
}

function isPlain(options: LimitOptions): boolean {
  return (
    typeof options.cost !== "function" &&
    typeof options.scope !== "function" &&
    options.exemptWhen === undefined &&
    options.metaLimits === undefined &&
    options.block === undefined &&
    options.observe !== true
  );
}

function resolveSource(
  source: LimitSource,
  strategy: StrategyName,
  options: LimitOptions,
  storage: Storage,
  where: string,
): Pick<BoundLimit, "policies" | "provider"> {
  if (typeof source === "function") {
    toPolicies("1/second", strategy, options.burst, storage);
    return { policies: undefined, provider: source };
  }
  if (typeof source !== "string" && !(source instanceof RateLimit) && !Array.isArray(source)) {
    throw new ConfigurationError(
      `${where} takes a text such as "10 per hour", a RateLimit, a list or a function, got ${describe(source)}.`,
    );
  }
  const policies = toPolicies(source, strategy, options.burst, storage).filter(isFirstOfItsKind);
  if (policies.length === 0) throw new ConfigurationError(`${where}: the list of limits is empty.`);
  checkReachable(policies, options, where);
  return { policies, provider: undefined };
}

/** A limit that is written twice counts once. */
function isFirstOfItsKind({ id }: Policy, index: number, all: readonly Policy[]): boolean {
  return all.findIndex((policy) => policy.id === id) === index;
}

/** A fixed cost that can never fit is a mistake, except where the limit refuses everything anyway. */
function checkReachable(policies: readonly Policy[], options: LimitOptions, where: string): void {
  if (typeof options.cost !== "number") return;
  for (const { limit, capacity } of policies) {
    if (options.cost <= capacity || limit.amount === 0) continue;
    throw new ConfigurationError(
      `${where}: a cost of ${options.cost} can never fit "${limit}". Lower the cost or raise the limit.`,
    );
  }
}

function checkLimitOptions(where: string, options: LimitOptions): void {
  checkOptionNames(where, options, LIMIT_OPTION_NAMES);
  checkBooleans(where, options, ["perEndpoint", "perMethod", "overrideDefaults", "observe", "headers"]);
  checkFunctions(where, options, ["keyFunc", "exemptWhen", "deductWhen", "onBreach"]);
  if (typeof options.cost !== "function" && options.cost !== undefined) checkCost(options.cost);
  const { scope, methods, name, errorMessage } = options;
  checkOption(
    where,
    "scope",
    scope,
    typeof scope === "string" || typeof scope === "function",
    "a text or a function",
  );
  checkMethods(where, methods);
  checkOption(
    where,
    "name",
    name,
    typeof name === "string" && /^[\x20-\x7e]+$/.test(name),
    "printable ASCII text",
  );
  checkOption(
    where,
    "errorMessage",
    errorMessage,
    isErrorMessage(errorMessage),
    "a text, an object or a function",
  );
}

/** True for what a refused client can be told. */
export function isErrorMessage(value: unknown): boolean {
  if (typeof value !== "object" || value === null)
    return typeof value === "string" || typeof value === "function";
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}

function checkMethods(where: string, methods: readonly unknown[] | undefined): void {
  const isList = Array.isArray(methods) && methods.length > 0;
  checkOption(where, "methods", methods, isList, 'a list of methods such as ["GET", "POST"]');
  for (const method of methods ?? []) {
    const isMethod =
      typeof method === "string" && nodeModule("node:http").METHODS.includes(method.toUpperCase());
    checkOption(where, "methods", method ?? null, isMethod, "a list of HTTP methods");
  }
}
