import { ConfigurationError } from "../core/errors.js";
import { STRATEGY_NAMES } from "../core/policy.js";
import type { Storage } from "../core/storage.js";
import { checkMemcachedPolicy } from "../memcached/check-policy.js";
import { commandTimeout } from "../memcached/memcached-storage-options.js";
import { parseServerUri } from "../memcached/server-uri.js";
import { MemoryStorage, type MemoryStorageOptions } from "../memory/index.js";
import { parseRedisUri } from "../redis/connect.js";
import { resolveOptions } from "../redis/redis-storage-options.js";
import { LazyStorage } from "./lazy-storage.js";

type Options = Readonly<Record<string, unknown>>;

const REDIS_SCHEMES = ["redis", "rediss", "redis+unix", "redis+cluster", "redis+sentinel"];
const SCHEMES = ["memory", ...REDIS_SCHEMES, "memcached"];

/**
 * The storage that a URI names. The code of all but the memory storage is loaded now, and not before.
 *
 * Throws `ConfigurationError` for an unknown scheme or a URI that cannot be read. Passwords in the URI never
 * appear in messages.
 */
export function storageFromUri(uri: string, options: Options = {}): Storage {
  const scheme = /^[a-z][a-z0-9+.-]*(?=:\/\/)/i.exec(uri)?.[0].toLowerCase();
  if (scheme === "memory") return new MemoryStorage(options as MemoryStorageOptions);
  if (scheme !== undefined && REDIS_SCHEMES.includes(scheme)) return redisStorage(uri, options);
  if (scheme === "memcached") return memcachedStorage(uri, options);
  const named = scheme === undefined ? "a URI without a scheme" : `the unknown scheme "${scheme}"`;
  const known = SCHEMES.map((name) => `${name}://`).join(", ");
  throw new ConfigurationError(`storageUri has ${named}. Use one of: ${known}.`);
}

function redisStorage(uri: string, options: Options): Storage {
  parseRedisUri(uri);
  resolveOptions(options);
  return new LazyStorage({
    name: "redis",
    strategies: STRATEGY_NAMES,
    async load() {
      const { RedisStorage } = await import("../redis/redis-storage.js");
      return new RedisStorage(uri, options);
    },
  });
}

function memcachedStorage(uri: string, options: Options): Storage {
  parseServerUri(uri);
  commandTimeout(options);
  return new LazyStorage({
    name: "memcached",
    strategies: STRATEGY_NAMES,
    checkPolicy: checkMemcachedPolicy,
    async load() {
      const { MemcachedStorage } = await import("../memcached/memcached-storage.js");
      return new MemcachedStorage(uri, options);
    },
  });
}
