import { Redis, type RedisOptions } from "ioredis";
import { afterAll, afterEach } from "vitest";
import type { RedisClient } from "../../src/redis/redis-client.js";
import { RedisStorage } from "../../src/redis/redis-storage.js";
import type { RedisStorageOptions } from "../../src/redis/redis-storage-options.js";

const opened: { end(): Promise<void> | void }[] = [];

afterEach(async () => {
  for (const { end } of opened.splice(0).reverse()) await end();
});

/** A storage that is closed after the test. */
export function openStorage(client: RedisClient | string, options: RedisStorageOptions = {}): RedisStorage {
  const storage = new RedisStorage(client, options);
  opened.push({ end: () => storage.close() });
  return storage;
}

/** A client of a server, closed after the test. It prints no connection errors. */
export function openClient(port: number, options: Omit<RedisOptions, "replyMapping"> = {}): Redis {
  const client = new Redis({ port, host: "127.0.0.1", retryStrategy: () => 50, ...options });
  client.on("error", () => {});
  opened.push({ end: () => client.disconnect() });
  return client;
}

/** Starts something for all tests of a file, and stops it after them. */
export function forAllTests<T extends { stop(): Promise<void> }>(start: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | undefined;
  afterAll(async () => (await started)?.stop());
  return () => {
    started ??= start();
    return started;
  };
}

/** How often a command was called, by the server's own count. */
export async function callsOf(client: Redis, ...commands: string[]): Promise<number> {
  const stats = await client.info("commandstats");
  const calls = (command: string) =>
    Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  return commands.reduce((sum, command) => sum + calls(command), 0);
}

/** How often anything was written, by the server's own count. */
export async function writesOf(client: Redis): Promise<number> {
  return Number(/rdb_changes_since_last_save:(\d+)/.exec(await client.info("persistence"))?.[1]);
}
