import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";
import { nearestWord } from "../core/nearest-word.js";
import { checkIsObject } from "./check-options.js";
import type { HeaderNames } from "./headers.js";
import type { LimiterOptions } from "./limiter-options.js";

/** How a setting that is written as text is read. */
type Kind = "boolean" | "text" | "number" | "json" | "function" | "header";

interface Setting {
  readonly option: keyof LimiterOptions | `headerNames.${keyof HeaderNames}`;
  readonly kind: Kind;
}

const PREFIX = "RATELIMIT_";

/** All settings, as in `app.set("RATELIMIT_DEFAULT", …)` and in the environment, less the prefix. */
const SETTINGS: Readonly<Record<string, Setting>> = {
  ENABLED: { option: "enabled", kind: "boolean" },
  KEY_FUNC: { option: "keyFunc", kind: "function" },
  KEY_PREFIX: { option: "keyPrefix", kind: "text" },
  DEFAULT: { option: "defaultLimits", kind: "text" },
  DEFAULTS_PER_METHOD: { option: "defaultLimitsPerMethod", kind: "boolean" },
  DEFAULTS_EXEMPT_WHEN: { option: "defaultLimitsExemptWhen", kind: "function" },
  DEFAULTS_DEDUCT_WHEN: { option: "defaultLimitsDeductWhen", kind: "function" },
  DEFAULTS_COST: { option: "defaultLimitsCost", kind: "number" },
  APPLICATION: { option: "applicationLimits", kind: "text" },
  APPLICATION_PER_METHOD: { option: "applicationLimitsPerMethod", kind: "boolean" },
  APPLICATION_EXEMPT_WHEN: { option: "applicationLimitsExemptWhen", kind: "function" },
  APPLICATION_DEDUCT_WHEN: { option: "applicationLimitsDeductWhen", kind: "function" },
  APPLICATION_COST: { option: "applicationLimitsCost", kind: "number" },
  META: { option: "metaLimits", kind: "text" },
  ON_META_BREACH_CALLBACK: { option: "onMetaBreach", kind: "function" },
  STORAGE_URI: { option: "storageUri", kind: "text" },
  STORAGE_OPTIONS: { option: "storageOptions", kind: "json" },
  STORAGE_TIMEOUT: { option: "storageTimeout", kind: "text" },
  STRATEGY: { option: "strategy", kind: "text" },
  HEADERS_ENABLED: { option: "headersEnabled", kind: "boolean" },
  HEADER_LIMIT: { option: "headerNames.limit", kind: "header" },
  HEADER_REMAINING: { option: "headerNames.remaining", kind: "header" },
  HEADER_RESET: { option: "headerNames.reset", kind: "header" },
  HEADER_RETRY_AFTER: { option: "headerNames.retryAfter", kind: "header" },
  HEADER_RETRY_AFTER_VALUE: { option: "retryAfter", kind: "text" },
  STANDARD_HEADERS: { option: "standardHeaders", kind: "header" },
  FAIL_ON_FIRST_BREACH: { option: "failOnFirstBreach", kind: "boolean" },
  ON_BREACH_CALLBACK: { option: "onBreach", kind: "function" },
  ERROR_MESSAGE: { option: "errorMessage", kind: "text" },
  PASS_BREACH_TO_NEXT: { option: "passBreachToNext", kind: "boolean" },
  SWALLOW_ERRORS: { option: "swallowErrors", kind: "boolean" },
  IN_MEMORY_FALLBACK_ENABLED: { option: "inMemoryFallbackEnabled", kind: "boolean" },
  IN_MEMORY_FALLBACK: { option: "inMemoryFallback", kind: "text" },
  UNMATCHED: { option: "unmatched", kind: "text" },
  REQUEST_IDENTIFIER: { option: "requestIdentifier", kind: "function" },
};

const WORDS: Readonly<Record<string, boolean>> = {
  true: true,
  "1": true,
  yes: true,
  on: true,
  false: false,
  "0": false,
  no: false,
  off: false,
};

/**
 * The options in force: the constructor's, then the app's settings, then the environment's.
 *
 * `undefined` in the constructor leaves an option to the others; of `storage` and `storageUri` only the first
 * source that names either counts. Throws `ConfigurationError` for a setting that cannot be read, and for a
 * name that is nearly one of ours.
 */
export function withSettings(
  options: LimiterOptions,
  appSettings: Readonly<Record<string, unknown>> = {},
  environment: Readonly<Record<string, string | undefined>> = process.env,
): LimiterOptions {
  checkIsObject("Limiter", options);
  const fromEnvironment = readSettings(environment, "environment variable");
  const fromApp = readSettings(appSettings, "app setting");
  return merge(merge(fromEnvironment, fromApp), options);
}

/** Are there any settings of ours on the app? */
export function hasSettings(appSettings: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(appSettings).some((name) => name.startsWith(PREFIX));
}

function merge(weak: LimiterOptions, strong: LimiterOptions): LimiterOptions {
  const given = Object.fromEntries(Object.entries(strong).filter(([, value]) => value !== undefined));
  const merged: Record<string, unknown> = { ...weak, ...given };
  if (weak.headerNames !== undefined && strong.headerNames !== undefined) {
    merged["headerNames"] = { ...weak.headerNames, ...strong.headerNames };
  }
  if (strong.storage !== undefined && strong.storageUri === undefined) delete merged["storageUri"];
  if (strong.storageUri !== undefined && strong.storage === undefined) delete merged["storage"];
  return merged;
}

function readSettings(settings: Readonly<Record<string, unknown>>, where: string): LimiterOptions {
  const options: Record<string, unknown> = {};
  const headerNames: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(settings)) {
    if (!name.startsWith(PREFIX) || value === undefined || value === "") continue;
    const setting = settingOf(name, where);
    if (setting === undefined) continue;
    const read = readValue(name, value, setting.kind, where);
    const [option = "", part] = setting.option.split(".");
    if (part === undefined) options[option] = read;
    else headerNames[part] = read;
  }
  return Object.keys(headerNames).length === 0 ? options : { ...options, headerNames };
}

/** A name that is nearly ours is a mistake; any other in the environment belongs to somebody else. */
function settingOf(name: string, where: string): Setting | undefined {
  const own = name.slice(PREFIX.length);
  if (Object.hasOwn(SETTINGS, own)) return SETTINGS[own];
  const meant = nearestWord(own, Object.keys(SETTINGS));
  if (meant === undefined && where === "environment variable") return undefined;
  const hint = meant === undefined ? "" : ` Did you mean "${PREFIX}${meant}"?`;
  throw new ConfigurationError(`Limiter: unknown ${where} "${name}".${hint}`);
}

function readValue(name: string, value: unknown, kind: Kind, where: string): unknown {
  if (where === "environment variable" && kind === "function") {
    throw new ConfigurationError(`Limiter: ${name} is a function and cannot come from the environment.`);
  }
  if (typeof value !== "string") return value;
  const word = WORDS[value.trim().toLowerCase()];
  switch (kind) {
    case "boolean":
      if (word !== undefined) return word;
      throw new ConfigurationError(
        `Limiter: ${name} must be true/false, 1/0, yes/no or on/off, got ${describe(value)}.`,
      );
    case "header":
      return word === false ? false : value.trim();
    case "number":
      return readNumber(name, value);
    case "json":
      return readJson(name, value);
    default:
      return value.trim();
  }
}

function readNumber(name: string, value: string): number {
  const number = value.trim() === "" ? Number.NaN : Number(value);
  if (!Number.isNaN(number)) return number;
  throw new ConfigurationError(`Limiter: ${name} must be a number, got ${describe(value)}.`);
}

function readJson(name: string, value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    throw new ConfigurationError(`Limiter: ${name} must be an object written as JSON.`);
  }
}
