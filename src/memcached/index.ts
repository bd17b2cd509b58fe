// Counters in Memcached.
export type { MemcachedClient } from "./connection/client-link.js";
export { MemcachedStorage } from "./memcached-storage.js";
export type { MemcachedStorageOptions } from "./memcached-storage-options.js";
