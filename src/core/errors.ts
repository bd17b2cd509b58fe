/** Codes are stable: `switch (err.code)` on them, not on messages. */
export type ErrorCode =
  | "LIMIT_SYNTAX"
  | "CONFIGURATION"
  | "STORAGE"
  | "UNSUPPORTED_STRATEGY"
  | "RATE_LIMIT_EXCEEDED"
  | "CLIENT_DENIED";

const DOCS = "https://www.npmjs.com/package/express-limits";

/**
 * Base of every error that this package throws.
 *
 * `instanceof` looks at a brand and not at the constructor, so it holds between the ESM and the CommonJS
 * build when both are loaded in one process.
 */
export abstract class ExpressLimitsError extends Error {
  /** Stable, for `switch`. */
  abstract readonly code: ErrorCode;

  /** Where the error is explained: a page with one heading per code. */
  get docs(): string {
    return `${DOCS}#${this.code.toLowerCase().replaceAll("_", "-")}`;
  }
}

/** Makes `instanceof` true for the same class of another copy of this package. */
export function brandErrorClass(errorClass: object, name: string): void {
  const brand = Symbol.for(`express-limits.${name}`);
  Object.defineProperty(Object.getOwnPropertyDescriptor(errorClass, "prototype")?.value, brand, {
    value: true,
  });
  Object.defineProperty(errorClass, Symbol.hasInstance, {
    value: (candidate: unknown) => typeof candidate === "object" && candidate !== null && brand in candidate,
  });
}

/**
 * A limit text that cannot be read, with the place and the likely fix in the message.
 *
 * Thrown when the limit is defined, never while a request is decided.
 */
export class LimitSyntaxError extends ExpressLimitsError {
  override readonly name = "LimitSyntaxError";
  override readonly code = "LIMIT_SYNTAX";
  /** The whole text that was given (shortened in the message when long). */
  readonly text: string;
  /** Offset into `text`, from 0, at which reading stopped. */
  readonly position: number;

  constructor(message: string, text: string, position: number) {
    super(message);
    this.text = text;
    this.position = position;
  }
}

/** An option, or a combination of options, that cannot work. Names option, value and fix. */
export class ConfigurationError extends ExpressLimitsError {
  override readonly name: string = "ConfigurationError";
  override readonly code: ErrorCode = "CONFIGURATION";
}

/** The storage cannot do the strategy asked for. Thrown when the limiter is built. */
export class UnsupportedStrategyError extends ConfigurationError {
  override readonly name = "UnsupportedStrategyError";
  override readonly code = "UNSUPPORTED_STRATEGY";
}

/**
 * The storage failed or did not answer in time; `cause` holds what it said.
 *
 * Carries `status` 503, so that Express answers with it when nothing else handles the error.
 */
export class StorageError extends ExpressLimitsError {
  override readonly name = "StorageError";
  override readonly code = "STORAGE";
  /** For Express's final handler. */
  readonly status = 503;
  readonly statusCode = 503;
  /** The storage's address is nobody's business outside: Express shows only the status text. */
  readonly expose = false;
}

brandErrorClass(ExpressLimitsError, "ExpressLimitsError");
brandErrorClass(LimitSyntaxError, "LimitSyntaxError");
brandErrorClass(ConfigurationError, "ConfigurationError");
brandErrorClass(UnsupportedStrategyError, "UnsupportedStrategyError");
brandErrorClass(StorageError, "StorageError");
