import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type Server, ServerProcess } from "./server-process.js";

export type { Server } from "./server-process.js";

export interface ServerOptions {
  /** Further arguments, such as `["--requirepass", "secret"]`. */
  readonly args?: readonly string[];
}

const quiet = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--loglevel", "warning"];

export interface RedisOptions extends ServerOptions {
  /** The text of a `redis.conf`, for what arguments cannot say. */
  readonly config?: string;
}

/** Starts a redis-server and waits until it answers. */
export async function startRedis({ args = [], config = "" }: RedisOptions = {}): Promise<Server> {
  const port = await freePort();
  const folder = join(tmpdir(), `express-limits-redis-${randomUUID()}`);
  const configFile = join(folder, "redis.conf");
  const server = new ServerProcess({
    port,
    uri: `redis://127.0.0.1:${port}`,
    program: "redis-server",
    args: [configFile, ...quiet, "--port", `${port}`, "--dir", folder, ...args],
    // A server that wants a password says so, and has started.
    greeting: { send: "PING\r\n", expect: /^(\+PONG|-NOAUTH)/ },
    prepare: () => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(configFile, config);
    },
    cleanUp: () => rmSync(folder, { recursive: true, force: true }),
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
  });
  await server.start();
  return server;
}
