import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import type { Verdict } from "../../src/core/strategy.js";
import type { MemcachedStorage } from "../../src/memcached/index.js";
import { type Server, startMemcached } from "../helpers/servers.js";
import { startTcpProxy } from "../helpers/tcp-proxy.js";
import { newClaim } from "./claims.js";
import { roads } from "./roads.js";

const AMOUNT = 1_000_000;
const STORAGES = 3;
/** Of each storage. */
const HITS = 4500;
const HITS_PER_TICK = 3;
const REFUSED_EVERY = 10;

let server: Server;
beforeAll(async () => {
  server = await startMemcached();
});
afterAll(() => server.stop());

/** Stands before the server, a millisecond away in each direction. */
async function farPort(): Promise<number> {
  const proxy = await startTcpProxy(server.port);
  onTestFinished(() => proxy.stop());
  proxy.weather = { kind: "slow", delayMs: 1 };
  return proxy.port;
}

const wasAdmitted = async (hit: Promise<readonly Verdict[]>) => (await hit).every(({ allowed }) => allowed);

/** Hits all the time. Every tenth asks for the limit of a client that is full, too. Gives how many were admitted. */
async function hitOn(storage: MemcachedStorage, everyone: Claim, clients: readonly Claim[]): Promise<number> {
  const hits: Promise<boolean>[] = [];
  for (let nth = 0; nth < HITS; nth++) {
    const full = nth % REFUSED_EVERY === 0 ? clients[nth / REFUSED_EVERY] : undefined;
    hits.push(wasAdmitted(storage.hit(full === undefined ? [everyone] : [everyone, full], ALL_OR_NOTHING)));
    if (nth % HITS_PER_TICK === 0) await sleep(1);
  }
  return (await Promise.all(hits)).filter((admitted) => admitted).length;
}

describe.each(roads)("a counter that is never left alone, over $road", ({ road, open }) => {
  it("keeps nothing of hits that another limit refused", async () => {
    const port = await farPort();
    const everyone = newClaim({ amount: AMOUNT, unit: "year", key: `everyone, ${road}` });
    const done = await Promise.all(
      Array.from({ length: STORAGES }, async (_, place) => {
        const { storage, close } = await open(port, { commandTimeoutMs: 5000 });
        const clients = Array.from({ length: HITS / REFUSED_EVERY }, (__, i) =>
          newClaim({ amount: 1, unit: "year", key: `${road}, ${place}-${i}` }),
        );
        await Promise.all(clients.map((claim) => storage.hit([claim], ALL_OR_NOTHING)));
        return { admitted: await hitOn(storage, everyone, clients), close };
      }),
    );
    const admitted = done.reduce((sum, one) => sum + one.admitted, 0);
    const { storage, close } = await open(port, { commandTimeoutMs: 5000 });
    const left = await storage.test([everyone]);
    await Promise.all([close(), ...done.map((one) => one.close())]);
    expect(admitted).toBe(STORAGES * HITS * (1 - 1 / REFUSED_EVERY));
    expect(left).toMatchObject([{ remaining: AMOUNT - admitted }]);
  });
});
