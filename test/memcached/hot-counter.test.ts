import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import { type Server, startMemcached } from "../helpers/servers.js";
import { startTcpProxy } from "../helpers/tcp-proxy.js";
import { newClaim } from "./claims.js";
import { roads } from "./roads.js";

const AMOUNT = 1_000_000;
const STORAGES = 3;
const TICKS = 1500;
/** Of each storage. */
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

describe.each(roads)("a counter that is never left alone, over $road", ({ road, open }) => {
  it("keeps nothing of hits that another limit refused", async () => {
    const port = await farPort();
    const opened = await Promise.all(
      Array.from({ length: STORAGES }, () => open(port, { commandTimeoutMs: 5000 })),
    );
    const everyone = newClaim({ amount: AMOUNT, unit: "year", key: `everyone, ${road}` });
    const client = (name: string) => newClaim({ amount: 1, unit: "year", key: `${road}, ${name}` });
    const lists = opened.map((_, place) =>
      Array.from({ length: (TICKS * HITS_PER_TICK) / REFUSED_EVERY }, (__, i) => client(`${place}-${i}`)),
    );
    await Promise.all(
      opened.map(({ storage }, place) =>
        Promise.all((lists[place] ?? []).map((claim) => storage.hit([claim], ALL_OR_NOTHING))),
      ),
    );
    const hits: Promise<boolean>[] = [];
    let nth = 0;
    for (let tick = 0; tick < TICKS; tick++) {
      for (let i = 0; i < HITS_PER_TICK; i++, nth++) {
        for (const [place, { storage }] of opened.entries()) {
          const full = nth % REFUSED_EVERY === 0 ? lists[place]?.pop() : undefined;
          const hit = storage.hit(full === undefined ? [everyone] : [everyone, full], ALL_OR_NOTHING);
          hits.push(hit.then((verdicts) => verdicts.every(({ allowed }) => allowed)));
        }
      }
      await sleep(1);
    }
    const admitted = (await Promise.all(hits)).filter((isAdmitted) => isAdmitted).length;
    const [left] = (await opened[0]?.storage.test([everyone])) ?? [];
    await Promise.all(opened.map(({ close }) => close()));
    expect(admitted).toBe(STORAGES * TICKS * HITS_PER_TICK * (1 - 1 / REFUSED_EVERY));
    expect(left?.remaining).toBe(AMOUNT - admitted);
  });
});
