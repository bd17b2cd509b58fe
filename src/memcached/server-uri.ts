import { ConfigurationError } from "../core/errors.js";
import type { ServerAddress } from "./connection/wire.js";

const SCHEME = "memcached://";
const DEFAULT_PORT = 11211;
const FORMS = 'Use "memcached://host:port,host:port" or "memcached:///path/to.sock".';

/**
 * The servers in a `memcached://` URI: hosts with or without a port, or the path of one unix socket.
 *
 * Throws `ConfigurationError`, without the part that could be a password.
 */
export function parseServerUri(uri: string): ServerAddress[] {
  if (!uri.startsWith(SCHEME))
    throw new ConfigurationError(`A URI of the memcached storage is expected. ${FORMS}`);
  const rest = uri.slice(SCHEME.length);
  if (rest.includes("@")) {
    throw new ConfigurationError(
      "The memcached storage has no user and password: leave out what stands before @.",
    );
  }
  if (rest.startsWith("/")) return [{ path: decoded(rest) }];
  const list = rest.endsWith("/") ? rest.slice(0, -1) : rest;
  const servers = list.split(",").map(parseServer);
  const names = new Set(servers.map(({ host, port }) => `${host} ${port}`));
  if (names.size < servers.length) throw new ConfigurationError(`The list "${list}" names a server twice.`);
  return servers;
}

function parseServer(text: string): { host: string; port: number } {
  const match = /^(\[[\da-f:.]+\]|[^\s:/?#[\]]+)(?::(\d{1,5}))?$/i.exec(text.trim());
  const port = Number(match?.[2] ?? DEFAULT_PORT);
  if (match?.[1] === undefined || port < 1 || port > 65_535) {
    throw new ConfigurationError(`"${text}" is not a server in a memcached URI. ${FORMS}`);
  }
  return { host: match[1].replace(/^\[|\]$/g, ""), port };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new ConfigurationError(`The path "${path}" has a % that begins no character. ${FORMS}`);
  }
}
