import { KeyedClaim } from "../core/claim.js";
import { systemClock } from "../core/clock.js";
import { parseDuration } from "../core/duration.js";
import { ConfigurationError } from "../core/errors.js";
import { KeyPlace, keyHead } from "../core/key.js";
import { createPolicy } from "../core/policy.js";
import { RateLimit } from "../core/rate-limit.js";
import { checkSupport, DEFAULT_KEY_PREFIX } from "../core/rate-limiter.js";
import type { Claim, Storage } from "../core/storage.js";
import { MemoryStorage } from "../memory/index.js";
import type { BindingDefaults, BoundLimit, LimitKind } from "./bound-limit.js";
import { bindLimit } from "./bound-limit.js";
import { checkLimiterOptions, checkStrategy } from "./check-limiter-options.js";
import { checkOption, checkOptionNames, isHeaderName } from "./check-options.js";
import type { Lists } from "./client-list.js";
import type { Events } from "./events.js";
import type { HeaderNames, HeaderSettings } from "./headers.js";
import { DEFAULT_HEADER_NAMES } from "./headers.js";
import { remoteAddress } from "./key-functions.js";
import { LastAddress } from "./last-address.js";
import type { LimitOptions, LimitSource } from "./limit-options.js";
import type { LimiterCore } from "./limiter-core.js";
import type { LimiterOptions } from "./limiter-options.js";
import { createLists } from "./lists.js";
import { LookupCache } from "./lookup-cache.js";
import type { Marks } from "./marks.js";
import { PolicyHeaders } from "./policy-headers.js";
import { ProxyWarning } from "./proxy-warning.js";
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
  /** Who was listed so far; made from the options when there are none yet. */
  readonly lists?: Lists | undefined;
}

/** What options make: the core, what limits take from it, and whether the storage is ours to close. */
export interface ResolvedLimiter {
  readonly core: LimiterCore;
  readonly binding: BindingDefaults;
  readonly ownsStorage: boolean;
  readonly keyPrefix: string;
}

/** Ends what runs by itself, once the decisions under way are made. */
export async function closeResolved({ core, ownsStorage }: ResolvedLimiter): Promise<void> {
  await core.guard.close();
  if (ownsStorage) await core.storage.close?.();
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
    proxyWarning: new ProxyWarning(options.logger),
    clock,
    logger: options.logger,
    storage,
    guard: guardFor(options, storage, events, keyHead(keyPrefix)),
    keyHead: keyHead(keyPrefix),
    events,
    headers: headerSettings(options),
    marks,
    lookups: new LookupCache(marks),
    application: bindAll(
      "application",
      "applicationLimits",
      options.applicationLimits,
      applicationOptions(options),
      binding,
    ),
    defaults: bindAll("default", "defaultLimits", options.defaultLimits, defaultOptions(options), binding),
    meta: bindAll("meta", "metaLimits", options.metaLimits, {}, binding),
    fallback: bindAll("fallback", "inMemoryFallback", options.inMemoryFallback, {}, binding),
    filters,
    lists:
      longLived.lists ??
      createLists(options.allowList, options.denyList, options.sharedLists ?? false, clock),
    keyFunc: binding.keyFunc,
    lastAddress: new LastAddress(),
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
  name: keyof LimiterOptions,
  sources: LimitSource | readonly LimitSource[] | undefined,
  options: LimitOptions,
  binding: BindingDefaults,
): BoundLimit[] {
  if (sources === undefined) return [];
  const list: readonly LimitSource[] = Array.isArray(sources) ? sources : [sources];
  const where = `${WHERE}: ${name}`;
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

function guardFor(options: LimiterOptions, storage: Storage, events: Events, head: string): StorageGuard {
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
    probe: probeClaim(head),
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

/** A counter that nobody reads and that is gone a second later. */
function probeClaim(head: string): Claim {
  const policy = createPolicy(new RateLimit(1_000_000, 1, "second"), "fixed-window");
  const place = new KeyPlace(head, "probe", policy.id);
  return new KeyedClaim({
    policy,
    place,
    owner: "probe",
    cost: 1,
    role: "limit",
    who: "probe",
    scope: "probe",
  });
}

function headerSettings(options: LimiterOptions): HeaderSettings {
  const names: Record<keyof HeaderNames, string | false> = {
    ...DEFAULT_HEADER_NAMES,
    ...withoutUndefined(options.headerNames ?? {}),
  };
  for (const [name, value] of Object.entries(names)) {
    const isName = value === false || (typeof value === "string" && isHeaderName(value));
    checkOption(WHERE, `headerNames.${name}`, value, isName, "a header name or false");
  }
  checkOptionNames(`${WHERE}: headerNames`, names, Object.keys(DEFAULT_HEADER_NAMES));
  return {
    enabled: options.headersEnabled ?? true,
    names,
    retryAfter: options.retryAfter ?? "delta-seconds",
    standard: options.standardHeaders ?? false,
    policies: new PolicyHeaders(),
  };
}

function withoutUndefined(values: object): Record<string, string | false> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
