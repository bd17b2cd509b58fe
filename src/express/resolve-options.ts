import { systemClock } from "../core/clock.js";
import { parseDuration } from "../core/duration.js";
import { ConfigurationError } from "../core/errors.js";
import { keyHead } from "../core/key.js";
import { isStrategyName, STRATEGY_NAMES } from "../core/policy.js";
import { checkCost, checkSupport, DEFAULT_KEY_PREFIX } from "../core/rate-limiter.js";
import type { Storage } from "../core/storage.js";
import type { StrategyName } from "../core/strategy.js";
import { MemoryStorage } from "../memory/index.js";
import type { BindingDefaults, BoundLimit, LimitKind } from "./bound-limit.js";
import { bindLimit } from "./bound-limit.js";
import { checkBooleans, checkFunctions, checkOption, checkOptionNames, describe } from "./check-options.js";
import type { Events } from "./events.js";
import type { HeaderNames, HeaderSettings } from "./headers.js";
import { DEFAULT_HEADER_NAMES } from "./headers.js";
import { remoteAddress } from "./key-functions.js";
import type { LimitOptions, LimitSource } from "./limit-options.js";
import type { LimiterCore } from "./limiter-core.js";
import { LIMITER_OPTION_NAMES, type LimiterOptions } from "./limiter-options.js";
import { createLists } from "./lists.js";
import { LookupCache } from "./lookup-cache.js";
import type { Marks } from "./marks.js";
import { SeenCounters } from "./seen-counters.js";
import { storageFromUri } from "./storage-from-uri.js";
import { StorageGuard } from "./storage-guard.js";

const WHERE = "Limiter";

/** The longest time that `setTimeout` can wait. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** What outlives a change of settings: it belongs to the limiter and not to its options. */
export interface LongLived {
  readonly events: Events;
  readonly marks: Marks;
  readonly filters: LimiterCore["filters"];
}

/** What options make: the core, what limits take from it, and whether the storage is ours to close. */
export interface ResolvedLimiter {
  readonly core: LimiterCore;
  readonly binding: BindingDefaults;
  readonly ownsStorage: boolean;
  readonly keyPrefix: string;
}

/**
 * Checks all options and builds what requests need from them.
 *
 * Throws `ConfigurationError` or `LimitSyntaxError` for anything that would make the limiter not limit.
 */
export function resolveLimiter(options: LimiterOptions, longLived: LongLived): ResolvedLimiter {
  checkLimiterOptions(options);
  const strategy = checkStrategy(options.strategy ?? "fixed-window");
  const storage =
    options.storage ?? storageFromUri(options.storageUri ?? "memory://", options.storageOptions);
  if (options.clock !== undefined) storage.useClock?.(options.clock);
  checkSupport(storage, strategy);
  const binding = { keyFunc: options.keyFunc ?? remoteAddress(), strategy, storage };
  const { keyPrefix = DEFAULT_KEY_PREFIX, clock = systemClock } = options;
  const { events, marks, filters } = longLived;
  events.logger = options.logger;
  const core: LimiterCore = {
    isEnabled: options.enabled ?? true,
    clock,
    logger: options.logger,
    storage,
    guard: guardFor(options, storage, events),
    keyHead: keyHead(keyPrefix),
    events,
    headers: headerSettings(options),
    marks,
    lookups: new LookupCache(marks),
    application: bindAll("application", options.applicationLimits, applicationOptions(options), binding),
    defaults: bindAll("default", options.defaultLimits, defaultOptions(options), binding),
    meta: bindAll("meta", options.metaLimits, {}, binding),
    fallback: bindAll("fallback", options.inMemoryFallback, {}, binding),
    filters,
    lists: createLists(options.allowList, options.denyList, options.sharedLists ?? false, clock),
    keyFunc: binding.keyFunc,
    limitsUnmatched: options.unmatched !== "skip",
    failsOnFirstBreach: options.failOnFirstBreach ?? true,
    swallowsErrors: options.swallowErrors ?? false,
    passesBreachToNext: options.passBreachToNext ?? false,
    onBreach: options.onBreach,
    onMetaBreach: options.onMetaBreach,
    errorMessage: options.errorMessage,
    requestIdentifier: options.requestIdentifier,
    seen: new SeenCounters(),
  };
  return { core, binding, ownsStorage: options.storage === undefined, keyPrefix };
}

function bindAll(
  kind: LimitKind,
  sources: LimitSource | readonly LimitSource[] | undefined,
  options: LimitOptions,
  binding: BindingDefaults,
): BoundLimit[] {
  if (sources === undefined) return [];
  const list: readonly LimitSource[] = Array.isArray(sources) ? sources : [sources];
  const where = `${WHERE}: ${kind} limits`;
  return list.map((source) =>
    bindLimit(
      kind,
      source,
      typeof source === "string" || typeof source === "function" ? options : {},
      binding,
      where,
    ),
  );
}

function defaultOptions(options: LimiterOptions): LimitOptions {
  return {
    perMethod: options.defaultLimitsPerMethod,
    exemptWhen: options.defaultLimitsExemptWhen,
    deductWhen: options.defaultLimitsDeductWhen,
    cost: options.defaultLimitsCost,
  };
}

function applicationOptions(options: LimiterOptions): LimitOptions {
  return {
    perMethod: options.applicationLimitsPerMethod,
    exemptWhen: options.applicationLimitsExemptWhen,
    deductWhen: options.applicationLimitsDeductWhen,
    cost: options.applicationLimitsCost,
  };
}

function guardFor(options: LimiterOptions, storage: Storage, events: Events): StorageGuard {
  const timeoutMs = parseDuration(options.storageTimeout ?? "500ms", "storageTimeout");
  if (timeoutMs > LONGEST_TIMEOUT_MS) {
    throw new ConfigurationError(`${WHERE}: storageTimeout must be at most 24 days, got ${timeoutMs} ms.`);
  }
  const hasFallback = options.inMemoryFallbackEnabled === true || options.inMemoryFallback !== undefined;
  const fallback = hasFallback ? new MemoryStorage({ clock: options.clock }) : undefined;
  return new StorageGuard({
    storage,
    fallback,
    fallbackInherits: options.inMemoryFallback === undefined,
    timeoutMs,
    events: {
      lost(error) {
        options.logger?.error("The storage failed.", error);
        events.emit("storageError", { error });
      },
      recovered() {
        options.logger?.warn("The storage is back.");
        events.emit("storageRecovered", {});
      },
    },
  });
}

function headerSettings(options: LimiterOptions): HeaderSettings {
  const names: Record<keyof HeaderNames, string | false> = {
    ...DEFAULT_HEADER_NAMES,
    ...withoutUndefined(options.headerNames ?? {}),
  };
  for (const [name, value] of Object.entries(names)) {
    const isName =
      value === false || (typeof value === "string" && /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(value));
    checkOption(WHERE, `headerNames.${name}`, value, isName, "a header name or false");
  }
  checkOptionNames(`${WHERE}: headerNames`, names, Object.keys(DEFAULT_HEADER_NAMES));
  return {
    enabled: options.headersEnabled ?? true,
    names,
    retryAfter: options.retryAfter ?? "delta-seconds",
    standard: options.standardHeaders ?? false,
  };
}

function withoutUndefined(values: object): Record<string, string | false> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function checkStrategy(strategy: StrategyName): StrategyName {
  if (isStrategyName(strategy)) return strategy;
  throw new ConfigurationError(
    `${WHERE}: unknown strategy ${describe(strategy)}. Use one of: ${STRATEGY_NAMES.join(", ")}.`,
  );
}

function checkLimiterOptions(options: LimiterOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new ConfigurationError(`${WHERE}: options must be an object, got ${describe(options)}.`);
  }
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
  for (const cost of [options.defaultLimitsCost, options.applicationLimitsCost]) {
    if (cost !== undefined && typeof cost !== "function") checkCost(cost);
  }
}

function checkOneOf(name: string, value: unknown, allowed: readonly (string | false)[]): void {
  const isOne = allowed.some((candidate) => candidate === value);
  checkOption(WHERE, name, value, isOne, `one of ${allowed.map((one) => JSON.stringify(one)).join(", ")}`);
}

function checkStorageOptions({ storage, storageUri, storageOptions, clock, logger }: LimiterOptions): void {
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
