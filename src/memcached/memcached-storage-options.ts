import { checkNames } from "../core/check-names.js";
import type { Clock, Milliseconds } from "../core/clock.js";
import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";

/** Options of {@link MemcachedStorage}. */
export interface MemcachedStorageOptions {
  /**
   * No call waits longer than this for Memcached, unless it brings a time of its own, as a limiter's
   * `storageTimeout` does; from 1. For 500, a call that has no answer after half a second rejects with a
   * `StorageError`, and what it did by then is given back. @default 500
   */
  readonly commandTimeoutMs?: Milliseconds | undefined;
  /**
   * Tells the wall time, by which windows turn. All processes that share the counters must agree on it.
   * @default the system's
   */
  readonly clock?: Clock | undefined;
}

const DEFAULT_TIMEOUT_MS = 500;
const OPTION_NAMES = ["commandTimeoutMs", "clock"];

/** Longer than this is no deadline; a timer could not hold it either. */
const MOST_TIMEOUT_MS = 2 ** 31 - 1;

/** Checks what the user gave; throws `ConfigurationError`. */
export function commandTimeout(options: MemcachedStorageOptions): Milliseconds {
  checkNames("MemcachedStorage", options, OPTION_NAMES);
  const { commandTimeoutMs = DEFAULT_TIMEOUT_MS } = options;
  if (!(commandTimeoutMs >= 1 && commandTimeoutMs <= MOST_TIMEOUT_MS)) {
    throw new ConfigurationError(
      `commandTimeoutMs must be a number of milliseconds from 1, got ${describe(commandTimeoutMs)}.`,
    );
  }
  return commandTimeoutMs;
}
