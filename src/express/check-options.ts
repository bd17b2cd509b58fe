import { ConfigurationError } from "../core/errors.js";
import { nearestWord } from "../core/nearest-word.js";

/** What people look for who know other limiters. */
const FOREIGN_NAMES: Readonly<Record<string, string>> = {
  windowMs: 'defaultLimits: "100 per 15 minutes"',
  max: 'defaultLimits: "100 per 15 minutes"',
  limit: 'defaultLimits: "100 per 15 minutes"',
  points: 'defaultLimits: "100 per 15 minutes"',
  duration: 'defaultLimits: "100 per 15 minutes"',
  keyGenerator: "keyFunc",
  key: "keyFunc",
  store: "storage",
  skip: "requestFilter() or exemptWhen",
  message: "errorMessage",
  handler: "onBreach",
  legacyHeaders: "headersEnabled",
  passOnStoreError: "swallowErrors",
  whitelist: "allowList",
  blacklist: "denyList",
};

/** Throws for an option that does not exist, with the name that was probably meant. */
export function checkOptionNames(where: string, options: object, known: readonly string[]): void {
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

/** A value as an error message shows it. */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return String(value);
}
