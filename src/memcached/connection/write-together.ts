/** A connection that can gather what is written to it: a socket of node's. */
interface Corkable {
  cork(): void;
  uncork(): void;
}

/**
 * Runs what makes a client write, and lets all of it leave in one write for each connection.
 *
 * The package `memcached` writes every command by itself, which is more than half of what one costs. It keeps its
 * open connections in `connections`, by server, each with a `pool`: not documented, and the same in all of its
 * version 2. With a client that looks otherwise nothing is gathered.
 */
export function writeTogether(client: object, work: () => void): void {
  const sockets = openSockets(client);
  for (const socket of sockets) socket.cork();
  try {
    work();
  } finally {
    for (const socket of sockets) socket.uncork();
  }
}

function openSockets(client: object): Corkable[] {
  const pools: unknown = Reflect.get(client, "connections");
  if (!isObject(pools)) return [];
  return Object.values(pools).flatMap((manager: unknown) => {
    const pool: unknown = isObject(manager) ? Reflect.get(manager, "pool") : undefined;
    return Array.isArray(pool) ? pool.filter(isCorkable) : [];
  });
}

function isCorkable(socket: unknown): socket is Corkable {
  return (
    isObject(socket) &&
    typeof Reflect.get(socket, "cork") === "function" &&
    typeof Reflect.get(socket, "uncork") === "function"
  );
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
