import { afterAll, beforeAll, describe, it } from "vitest";
import { ManualClock, storageContract } from "../../src/testing/index.js";
import { type Server, startMemcached } from "../helpers/servers.js";
import { roads } from "./roads.js";

let server: Server;
beforeAll(async () => {
  server = await startMemcached();
});
afterAll(() => server.stop());

const gaps = { reset: "Memcached cannot list its keys" };

describe.each(roads)("MemcachedStorage over $road", ({ open, hasPool }) => {
  const exactLists = hasPool ? "the client's pool mixes the order of commands" : undefined;
  storageContract(
    { describe, it },
    async () => {
      const clock = new ManualClock(Date.now());
      const { storage, close } = await open(server.port, { clock, commandTimeoutMs: 10_000 });
      return { storage, advance: (ms) => clock.advance(ms), close };
    },
    { gaps: { ...gaps, exactLists } },
  );
});

describe("MemcachedStorage in real time", () => {
  storageContract(
    { describe, it },
    async () => {
      const { storage, close } = await roads[0]!.open(server.port, { commandTimeoutMs: 10_000 });
      const advance = (ms: number) => new Promise<void>((wake) => setTimeout(wake, ms));
      return { storage, advance, close };
    },
    { gaps, clock: "real", shortestWindowMs: 250 },
  );
});
