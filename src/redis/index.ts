export type { RedisClient, RedisClientOptions } from "./redis-client.js";
export { RedisStorage } from "./redis-storage.js";
export type { RedisStorageOptions } from "./redis-storage-options.js";
