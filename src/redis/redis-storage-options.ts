import { checkNames } from "../core/check-names.js";
import type { Clock, Milliseconds } from "../core/clock.js";
import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";

/** Options of {@link RedisStorage}. */
export interface RedisStorageOptions {
  /**
   * For how long a key that is known to be exhausted is refused without asking Redis, at most until more
   * becomes available. 0 asks each time. What another process gives back or clears is seen this much later at
   * most. @default 1000
   */
  readonly denyCacheMs?: Milliseconds | undefined;
  /**
   * What takes longer has failed, and charges nothing even if Redis gets to it later. A limiter's
   * `storageTimeout` goes before. @default 500
   */
  readonly commandTimeoutMs?: Milliseconds | undefined;
  /**
   * The most stored values that one script call reads, from 1: one for all limits of a client and counter, but
   * one for each moving window. Redis does nothing else meanwhile: 128 take it some 0.4 ms, with three limits
   * each some 0.6 ms, moving windows 0.8 ms. @default 128
   */
  readonly maxBatch?: number | undefined;
  /**
   * Further ioredis options for a connection that is opened from a URI: `{ tls: { ca } }`, say. They go before
   * our own and the URI's. No effect on a client that was handed in. @default {}
   */
  readonly clientOptions?: Readonly<Record<string, unknown>> | undefined;
  /**
   * For tests: windows run on this clock and not on the server's; nothing is refused without asking Redis.
   * Deadlines stay on real time. @default the server's clock
   */
  readonly clock?: Clock | undefined;
}

/** Options with their defaults. */
export interface RedisStorageSettings {
  readonly denyCacheMs: Milliseconds;
  readonly commandTimeoutMs: Milliseconds;
  readonly maxBatch: number;
  readonly clientOptions: Readonly<Record<string, unknown>>;
  readonly clock: Clock | undefined;
}

const DEFAULTS: RedisStorageSettings = {
  denyCacheMs: 1000,
  commandTimeoutMs: 500,
  maxBatch: 128,
  clientOptions: {},
  clock: undefined,
};

/** Longest one that `setTimeout` takes. */
const LONGEST_TIMEOUT_MS: Milliseconds = 2 ** 31 - 1;

/** Fills in what was not given. Throws `ConfigurationError` for a value that cannot be. */
export function resolveOptions(options: RedisStorageOptions): RedisStorageSettings {
  checkNames("RedisStorage", options, Object.keys(DEFAULTS));
  return {
    denyCacheMs: checked("denyCacheMs", options.denyCacheMs, 0, LONGEST_TIMEOUT_MS),
    commandTimeoutMs: checked("commandTimeoutMs", options.commandTimeoutMs, 1, LONGEST_TIMEOUT_MS),
    maxBatch: checked("maxBatch", options.maxBatch, 1, 1000),
    clientOptions: options.clientOptions ?? DEFAULTS.clientOptions,
    clock: options.clock,
  };
}

function checked(
  name: "denyCacheMs" | "commandTimeoutMs" | "maxBatch",
  value: number | undefined,
  least: number,
  most: number,
): number {
  if (value === undefined) return DEFAULTS[name];
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new ConfigurationError(
    `${name} must be a whole number from ${least} to ${most}, got ${describe(value)}.`,
  );
}
