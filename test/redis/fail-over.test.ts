import type { Redis } from "ioredis";
import { expect, test } from "vitest";
import { AMOUNT, LoadedApp } from "../helpers/loaded-app.js";
import { LoopStalls } from "../helpers/loop-stalls.js";
import { startRedisSentinel } from "../helpers/redis-topologies.js";
import { ask, until } from "../helpers/server-process.js";
import { claim, policy } from "./claims.js";
import { openClient, openStorage } from "./connections.js";

const DEADLINE_MS = 300;

/** What is left of the limit when the load begins. */
const LEFT = 2000;

/** How much of the app's first limit is used by the count of one server. */
async function usedOn(client: Redis): Promise<number> {
  const of = policy("fixed-window", AMOUNT, 1, "year");
  const key = (await client.keys("*")).find((one) => one.endsWith(`:${of.id}`));
  if (key === undefined) throw new Error("Nothing is counted.");
  const [verdict] = await openStorage(client).test([{ ...claim(of), key }]);
  return AMOUNT - (verdict?.remaining ?? Number.NaN);
}

/** A machine that is too busy to keep the deadlines gets another chance. */
const OPTIONS = { timeout: 60_000, retry: 2 };

test(
  "a fail-over under load admits at most what the replica had not seen, and is over by itself",
  OPTIONS,
  async () => {
    const sentinel = await startRedisSentinel();
    const limiter = { storageUri: sentinel.uri, storageTimeout: DEADLINE_MS };
    const app = new LoadedApp({ limiter, strategies: ["fixed-window", "moving-window"] });
    const stalls = new LoopStalls();
    const admitted = () => app.served.filter(({ remaining }) => remaining !== undefined).length;
    const replica = openClient(sentinel.replica.port);
    try {
      await app.listen();
      await until("it is spent", async () => (await app.ask({ "x-cost": `${AMOUNT - LEFT}` })) === 200);
      await until("the replica has seen it", async () => (await usedOn(replica)) === AMOUNT - LEFT);
      app.told.length = 0;
      app.served.length = 0;
      app.load();
      await until("it runs", async () => admitted() > 200);
      // From now on the replica sees nothing: it is thrown out, and does not know the password.
      await ask(sentinel.master.port, "CONFIG SET requirepass secret\r\nCLIENT KILL TYPE replica\r\n");
      const before = admitted();
      await until("there is something to lose", async () => admitted() > before + 100);
      const failedOver = sentinel.failOver();
      await until("it is lost", async () => app.told.length > 0);
      const unseen = AMOUNT - LEFT + admitted() - (await usedOn(replica));
      expect(unseen).toBeGreaterThan(0);
      await failedOver;
      await until("it is back", async () => app.told.at(-1)?.event === "back", 20_000);
      await until("the limit is reached", async () => app.statuses.includes(429), 20_000);
      await app.unload();
      expect(admitted()).toBeLessThanOrEqual(LEFT + unseen);
      // Nobody was locked out either: what was charged and not told was on its way to the old master.
      expect(admitted()).toBeGreaterThan(LEFT - 64);
      expect(new Set(app.statuses)).toEqual(new Set([200, 429, 503]));
      for (const { arrivedAt, answeredAt = Number.POSITIVE_INFINITY } of app.served) {
        const stalledMs = stalls.msBetween(arrivedAt + DEADLINE_MS, answeredAt);
        expect(answeredAt - arrivedAt - stalledMs).toBeLessThan(DEADLINE_MS + 50);
      }
    } finally {
      stalls.stop();
      await app.close();
      await sentinel.stop();
    }
  },
);
