import { ConfigurationError } from "../core/errors.js";
import type { RedisClient } from "./redis-client.js";

/** Where a URI leads: one server or socket, a Cluster's first nodes, or a master's name and who knows it. */
export type RedisAddress =
  | { readonly kind: "single"; readonly options: Readonly<Record<string, unknown>> }
  | {
      readonly kind: "cluster";
      readonly nodes: readonly HostAndPort[];
      readonly options: Readonly<Record<string, unknown>>;
    };

interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

const FORMS =
  "redis://[user:password@]host[:port][/db], rediss://…, redis+unix://[user:password@]/path/to.sock[?db=n], " +
  "redis+cluster://[user:password@]host:port,host:port, redis+sentinel://[user:password@]host:port,host:port/name[/db]";

/**
 * Settings that suit decisions with a deadline: nothing is sent twice, a dead connection is found and replaced,
 * and a server that became a replica is left.
 */
const CLIENT_DEFAULTS: Readonly<Record<string, unknown>> = {
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 1,
  connectTimeout: 2000,
  keepAlive: 5000,
  retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), 2000),
  reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
};

/** Reads a URI. The error of one that cannot be read shows no password. */
export function parseRedisUri(uri: string): RedisAddress {
  const match =
    /^(redis|rediss|redis\+unix|redis\+cluster|redis\+sentinel):\/\/(?:([^@/]*)@)?([^/?]*)(\/[^?]*)?(?:\?(.*))?$/.exec(
      uri,
    );
  if (match === null) throw uriError();
  const [, scheme = "", credentials, hosts = "", path = "", query = ""] = match;
  const login = readCredentials(credentials);
  if (scheme === "redis+unix") {
    if (hosts !== "" || path === "") throw uriError();
    const db = new URLSearchParams(query).get("db");
    return { kind: "single", options: { ...login, path: decode(path), ...readDb(db ?? undefined) } };
  }
  const nodes = hosts.split(",").map((host) => readHost(host, scheme === "redis+sentinel" ? 26_379 : 6379));
  const [, first, second] = path.split("/").map((part) => (part === "" ? undefined : part));
  if (scheme === "redis+cluster") return { kind: "cluster", nodes, options: login };
  if (scheme === "redis+sentinel") {
    if (first === undefined) throw uriError();
    const options = { ...login, sentinels: nodes, name: decode(first), ...readDb(second) };
    return { kind: "single", options };
  }
  const [node] = nodes;
  if (node === undefined || nodes.length > 1) throw uriError();
  return {
    kind: "single",
    options: { ...login, ...node, ...readDb(first), ...(scheme === "rediss" ? { tls: {} } : {}) },
  };
}

/** Opens the connection that a URI names. ioredis is loaded only now. */
export async function connect(
  address: RedisAddress,
  clientOptions: Readonly<Record<string, unknown>>,
): Promise<RedisClient> {
  const { Redis, Cluster } = await loadIoredis();
  const options = { ...CLIENT_DEFAULTS, ...address.options, ...clientOptions };
  const client: RedisClient =
    address.kind === "cluster"
      ? new Cluster([...address.nodes], { redisOptions: options })
      : new Redis(options);
  // Each command says by itself what went wrong; without a listener ioredis would print it as well.
  client.on("error", () => {});
  return client;
}

async function loadIoredis(): Promise<Pick<typeof import("ioredis"), "Redis" | "Cluster">> {
  try {
    return await import("ioredis");
  } catch (cause) {
    const error = new ConfigurationError(
      "Redis is reached through the package ioredis, which could not be loaded. Run: npm install ioredis",
    );
    error.cause = cause;
    throw error;
  }
}

function readCredentials(credentials: string | undefined): Readonly<Record<string, string>> {
  if (credentials === undefined || credentials === "") return {};
  const colon = credentials.indexOf(":");
  const username = decode(colon < 0 ? credentials : credentials.slice(0, colon));
  const password = colon < 0 ? "" : decode(credentials.slice(colon + 1));
  return { ...(username === "" ? {} : { username }), ...(password === "" ? {} : { password }) };
}

function readHost(text: string, defaultPort: number): HostAndPort {
  const match = /^(\[[0-9a-f:.%]+\]|[^:[\]\s]*)(?::(\d{1,5}))?$/i.exec(text);
  const port = Number(match?.[2] ?? defaultPort);
  if (match === null || port > 65_535) throw uriError();
  const host = (match[1] ?? "").replace(/^\[|\]$/g, "");
  return { host: host === "" ? "127.0.0.1" : host, port };
}

function readDb(text: string | undefined): { readonly db?: number } {
  if (text === undefined) return {};
  if (!/^\d{1,5}$/.test(text)) throw uriError();
  return { db: Number(text) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw uriError();
  }
}

function uriError(): ConfigurationError {
  return new ConfigurationError(
    `This Redis URI cannot be read (it is not shown, as it may hold a password). Forms: ${FORMS}.`,
  );
}
