import { StorageError } from "../core/errors.js";
import type { RedisClient } from "./redis-client.js";

/** How many keys a server looks at in one step of a scan. */
const SCAN_SIZE = 1000;

/** Bounds the time of one command, whose promise may never settle. */
export type WithDeadline = <T>(command: Promise<T>) => Promise<T>;

/**
 * Deletes every key that starts with the prefix, on every server of a Cluster, in small steps.
 *
 * Keys that are written while it runs may stay.
 */
export async function resetKeys(
  client: RedisClient,
  prefix: string,
  withDeadline: WithDeadline,
): Promise<void> {
  // A client puts its own prefix before keys, but not before patterns, and does not take it off what it finds.
  const clientPrefix = typeof client.options?.keyPrefix === "string" ? client.options.keyPrefix : "";
  const pattern = `${escapeGlob(clientPrefix + prefix)}*`;
  const servers = client.nodes?.("master") ?? [client];
  if (servers.length === 0) throw new StorageError("No node of the Redis Cluster is known yet.");
  await Promise.all(
    servers.map(async (server) => {
      for await (const keys of scan(server, pattern, withDeadline)) {
        const names = keys.map((key) => key.slice(clientPrefix.length));
        // One by one, as each may lie in another slot. They leave in one piece nevertheless.
        await withDeadline(Promise.all(names.map((key) => client.unlink(key))));
      }
    }),
  );
}

async function* scan(
  server: RedisClient,
  pattern: string,
  withDeadline: WithDeadline,
): AsyncGenerator<readonly string[]> {
  let cursor = "0";
  do {
    const page = await withDeadline(server.scan(cursor, "MATCH", pattern, "COUNT", SCAN_SIZE));
    const { next, keys } = readPage(page);
    cursor = next;
    if (keys.length > 0) yield keys;
  } while (cursor !== "0");
}

function readPage(page: unknown): { readonly next: string; readonly keys: readonly string[] } {
  if (!Array.isArray(page) || !Array.isArray(page[1])) {
    throw new StorageError("Redis gave an answer to SCAN that is none.");
  }
  return { next: String(page[0]), keys: page[1].map(String) };
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, "\\$&");
}
