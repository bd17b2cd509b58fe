import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";
import { isStrategyName, STRATEGY_NAMES } from "../core/policy.js";
import { checkCost } from "../core/rate-limiter.js";
import type { StrategyName } from "../core/strategy.js";
import { isErrorMessage } from "./bound-limit.js";
import { checkBooleans, checkFunctions, checkOption, checkOptionNames } from "./check-options.js";
import { LIMITER_OPTION_NAMES, type LimiterOptions } from "./limiter-options.js";

const WHERE = "Limiter";

/** A strategy that exists, or an error that names those that do. */
export function checkStrategy(strategy: StrategyName): StrategyName {
  if (isStrategyName(strategy)) return strategy;
  throw new ConfigurationError(
    `${WHERE}: unknown strategy ${describe(strategy)}. Use one of: ${STRATEGY_NAMES.join(", ")}.`,
  );
}

/** Throws for an option that does not exist, or whose value cannot be. */
export function checkLimiterOptions(options: LimiterOptions): void {
  checkOptionNames(WHERE, options, LIMITER_OPTION_NAMES);
  checkBooleans(WHERE, options, [
    "enabled",
    "defaultLimitsPerMethod",
    "applicationLimitsPerMethod",
    "headersEnabled",
    "failOnFirstBreach",
    "passBreachToNext",
    "swallowErrors",
    "inMemoryFallbackEnabled",
    "sharedLists",
  ]);
  checkFunctions(WHERE, options, [
    "keyFunc",
    "onBreach",
    "onMetaBreach",
    "requestIdentifier",
    "defaultLimitsExemptWhen",
    "defaultLimitsDeductWhen",
    "applicationLimitsExemptWhen",
    "applicationLimitsDeductWhen",
  ]);
  const { keyPrefix, retryAfter, standardHeaders, unmatched } = options;
  checkOption(WHERE, "keyPrefix", keyPrefix, typeof keyPrefix === "string" && keyPrefix !== "", "a text");
  checkOneOf("retryAfter", retryAfter, ["delta-seconds", "http-date"]);
  checkOneOf("standardHeaders", standardHeaders, [false, "draft-6", "draft-7", "ietf"]);
  checkOneOf("unmatched", unmatched, ["limit", "skip"]);
  checkStorageOptions(options);
  for (const name of ["defaultLimitsCost", "applicationLimitsCost"] as const) {
    const cost = options[name];
    if (cost !== undefined && typeof cost !== "function") checkCost(cost, name);
  }
}

function checkOneOf(name: string, value: unknown, allowed: readonly (string | false)[]): void {
  const isOne = allowed.some((candidate) => candidate === value);
  checkOption(WHERE, name, value, isOne, `one of ${allowed.map((one) => JSON.stringify(one)).join(", ")}`);
}

function checkStorageOptions({
  app,
  errorMessage,
  storage,
  storageUri,
  storageOptions,
  clock,
  logger,
}: LimiterOptions): void {
  if (storage !== undefined && storageUri !== undefined) {
    throw new ConfigurationError(`${WHERE}: give either storage or storageUri, not both.`);
  }
  const isStorage = hasMethods(storage, ["hit", "test", "refund", "clear", "reset", "check"]);
  checkOption(
    WHERE,
    "storage",
    storage,
    isStorage,
    'a storage such as new MemoryStorage(); for a URI use "storageUri"',
  );
  checkOption(
    WHERE,
    "storageUri",
    storageUri,
    typeof storageUri === "string",
    "a text such as redis://localhost",
  );
  checkOption(WHERE, "storageOptions", storageOptions, typeof storageOptions === "object", "an object");
  checkOption(WHERE, "app", app, hasMethods(app, ["use", "set"]), "an Express app");
  checkOption(
    WHERE,
    "errorMessage",
    errorMessage,
    isErrorMessage(errorMessage),
    "a text, an object or a function",
  );
  checkOption(WHERE, "clock", clock, hasMethods(clock, ["now"]), "an object with now()");
  checkOption(
    WHERE,
    "logger",
    logger,
    hasMethods(logger, ["warn", "error"]),
    "an object with warn() and error()",
  );
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== "object" && typeof value !== "function") return false;
  return value !== null && names.every((name) => typeof Reflect.get(value, name) === "function");
}
