import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";
import { nearestWord } from "../core/nearest-word.js";

const LIMIT_AS_TEXT = 'part of a text: defaultLimits: "100 per 15 minutes", or limit("100 per 15 minutes")';

/** What people look for who know other limiters. */
const FOREIGN_NAMES: Readonly<Record<string, string>> = {
  windowMs: LIMIT_AS_TEXT,
  max: LIMIT_AS_TEXT,
  limit: LIMIT_AS_TEXT,
  points: LIMIT_AS_TEXT,
  duration: LIMIT_AS_TEXT,
  keyGenerator: "keyFunc",
  key: "keyFunc",
  ipv6Subnet: "keyFunc: remoteAddress({ ipv6Subnet })",
  trustProxy: 'app.set("trust proxy", …) of Express',
  store: "storage",
  prefix: "keyPrefix",
  skip: "requestFilter() or exemptWhen",
  skipSuccessfulRequests: "deductWhen",
  skipFailedRequests: "deductWhen",
  requestWasSuccessful: "deductWhen",
  message: "errorMessage",
  handler: "onBreach",
  statusCode: "onBreach",
  identifier: "name, of a limit",
  blockDuration: "block",
  legacyHeaders: "headersEnabled",
  passOnStoreError: "swallowErrors",
  whitelist: "allowList",
  blacklist: "denyList",
};

/** Throws for options that are no object. */
export function checkIsObject(where: string, options: unknown): void {
  if (typeof options === "object" && options !== null) return;
  throw new ConfigurationError(`${where}: options must be an object, got ${describe(options)}.`);
}

/** Throws for options that are no object, and for one that does not exist, with the name that was probably meant. */
export function checkOptionNames(where: string, options: object, known: readonly string[]): void {
  checkIsObject(where, options);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const foreign = Object.hasOwn(FOREIGN_NAMES, name) ? FOREIGN_NAMES[name] : undefined;
    const near = nearestWord(name, known);
    const hint = near === undefined ? foreign && ` Here it is ${foreign}.` : ` Did you mean "${near}"?`;
    throw new ConfigurationError(`${where}: unknown option "${name}".${hint ?? ""}`);
  }
}

/** Throws when an option that was given is not of a kind. */
export function checkOption(
  where: string,
  name: string,
  value: unknown,
  isRight: boolean,
  expected: string,
): void {
  if (value === undefined || isRight) return;
  throw new ConfigurationError(`${where}: the option "${name}" must be ${expected}, got ${describe(value)}.`);
}

/** Throws unless each of the named options is absent or a boolean. */
export function checkBooleans(where: string, options: object, names: readonly string[]): void {
  for (const name of names) {
    const value: unknown = Reflect.get(options, name);
    checkOption(where, name, value, typeof value === "boolean", "true or false");
  }
}

/** Throws unless each of the named options is absent or a function. */
export function checkFunctions(where: string, options: object, names: readonly string[]): void {
  for (const name of names) {
    const value: unknown = Reflect.get(options, name);
    checkOption(where, name, value, typeof value === "function", "a function");
  }
}

/** May this stand in front of a header's colon? (RFC 9110, 5.6.2.) */
export function isHeaderName(name: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name);
}
