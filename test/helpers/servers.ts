import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type Server, ServerProcess } from "./server-process.js";

export type { Server } from "./server-process.js";

export interface ServerOptions {
  /** Further arguments, such as `["--requirepass", "secret"]`. */
  readonly args?: readonly string[];
}

const temporaryFolder = (name: string): string => join(tmpdir(), `express-limits-${name}-${randomUUID()}`);

const quiet = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--loglevel", "warning"];

export interface RedisOptions extends ServerOptions {
  /** The text of a `redis.conf`, for what arguments cannot say. */
  readonly config?: string;
}

/** Starts a redis-server and waits until it answers. */
export async function startRedis({ args = [], config = "" }: RedisOptions = {}): Promise<Server> {
  const port = await freePort();
  const server = new ServerProcess({
    port,
    uri: `redis://127.0.0.1:${port}`,
    program: "redis-server",
    args: ["redis.conf", ...quiet, "--port", `${port}`, ...args],
    // A server that wants a password says so, and has started.
    greeting: { send: "PING\r\n", expect: /^(\+PONG|-NOAUTH)/ },
    folder: temporaryFolder("redis"),
    files: { "redis.conf": config },
  });
  await server.start();
  return server;
}

/** Starts a memcached and waits until it answers. */
export async function startMemcached({ args = [] }: ServerOptions = {}): Promise<Server> {
  const port = await freePort();
  // memcached refuses to be root unless told to.
  const user = process.getuid?.() === 0 ? ["-u", "root"] : [];
  const server = new ServerProcess({
    port,
    uri: `memcached://127.0.0.1:${port}`,
    program: "memcached",
    args: ["-l", "127.0.0.1", "-p", `${port}`, "-U", "0", ...user, ...args],
    greeting: { send: "version\r\n", expect: /^VERSION/ },
    folder: temporaryFolder("memcached"),
  });
  await server.start();
  return server;
}
