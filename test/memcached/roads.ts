import { once } from "node:events";
import { connect, createServer } from "node:net";
import Memcached from "memcached";
import { MemcachedStorage, type MemcachedStorageOptions } from "../../src/memcached/index.js";

/** A storage on a server, however it gets there. */
export interface OpenedStorage {
  readonly storage: MemcachedStorage;
  close(): Promise<void>;
}

export type Road = (port: number, options?: MemcachedStorageOptions) => Promise<OpenedStorage>;

interface RoadCase {
  readonly road: string;
  readonly open: Road;
  /** Commands travel over several connections, and may overtake each other. */
  readonly hasPool: boolean;
}

/** Every way to a server: our connection, the same to a server that knows no meta commands, the package's client. */
export const roads: readonly RoadCase[] = [
  { road: "a URI", open: openByUri, hasPool: false },
  { road: "a URI of an old server", open: openOldServer, hasPool: false },
  { road: "the client of the package", open: openByClient, hasPool: true },
];

export async function openByUri(port: number, options?: MemcachedStorageOptions): Promise<OpenedStorage> {
  const storage = new MemcachedStorage(`memcached://127.0.0.1:${port}`, options);
  return { storage, close: async () => storage.close() };
}

async function openByClient(port: number, options?: MemcachedStorageOptions): Promise<OpenedStorage> {
  const client = new Memcached(`127.0.0.1:${port}`);
  const storage = new MemcachedStorage(client, options);
  return {
    storage,
    async close() {
      storage.close();
      client.end();
    },
  };
}

/** Between us and the server somebody answers the question for meta commands with an error. */
async function openOldServer(port: number, options?: MemcachedStorageOptions): Promise<OpenedStorage> {
  const proxy = createServer((socket) => {
    const server = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    server.on("error", () => socket.destroy());
    socket.once("data", () => {
      socket.write("ERROR\r\n");
      socket.pipe(server).pipe(socket);
    });
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const address = proxy.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const storage = new MemcachedStorage(`memcached://127.0.0.1:${address.port}`, options);
  return {
    storage,
    async close() {
      storage.close();
      proxy.close();
      await once(proxy, "close");
    },
  };
}
