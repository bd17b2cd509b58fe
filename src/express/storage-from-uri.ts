import { ConfigurationError } from "../core/errors.js";
import type { Storage } from "../core/storage.js";
import { MemoryStorage, type MemoryStorageOptions } from "../memory/index.js";

/**
 * The storage that a URI names.
 *
 * Throws `ConfigurationError` for an unknown scheme. Passwords in the URI never appear in messages.
 */
export function storageFromUri(uri: string, options: Readonly<Record<string, unknown>> = {}): Storage {
  const scheme = /^[a-z][a-z0-9+.-]*(?=:\/\/)/i.exec(uri)?.[0].toLowerCase();
  if (scheme === "memory") return new MemoryStorage(options as MemoryStorageOptions);
  const named = scheme === undefined ? "a URI without a scheme" : `the unknown scheme "${scheme}"`;
  throw new ConfigurationError(`storageUri has ${named}. Use one of: memory://.`);
}
