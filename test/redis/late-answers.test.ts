import { Limiter } from "express-limits";
import { expect, onTestFinished, test } from "vitest";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import { until } from "../helpers/server-process.js";
import { startRedis } from "../helpers/servers.js";
import { startTcpProxy } from "../helpers/tcp-proxy.js";
import { claim, policy } from "./claims.js";
import { callsOf, forAllTests, openClient, openStorage, writesOf } from "./connections.js";

const TIMEOUT_MS = 100;
const LIMIT = "10 per day";

const redis = forAllTests(startRedis);

/** Answers that are on their way for so long come a little too late, or just not: deadlines are met in steps of 10 ms. */
test.each([101, 104, 107, 110, 113, 116])(
  "an answer after %i ms is admitted and counted, or neither",
  async (onTheWayMs) => {
    const proxy = await startTcpProxy((await redis()).port);
    onTestFinished(() => proxy.stop());
    const storage = openStorage(openClient(proxy.port));
    const limiter = new Limiter({ storage, storageTimeout: TIMEOUT_MS, keyPrefix: `late-${onTheWayMs}` });
    onTestFinished(() => limiter.close());
    await limiter.hit(LIMIT, "ann");
    proxy.weather = { kind: "slow", delayMs: onTheWayMs / 2 };
    const admitted = await Promise.resolve(limiter.hit(LIMIT, "ann")).then(
      ({ allowed }) => Number(allowed),
      (error: Error) => {
        expect(error).toMatchObject({ code: "STORAGE" });
        return 0;
      },
    );
    proxy.weather = { kind: "fair" };
    const other = new Limiter({ storage, keyPrefix: `late-${onTheWayMs}` });
    onTestFinished(() => other.close());
    await until("what was charged in vain is given back", async () => {
      return (await other.test(LIMIT, "ann")).used === 1 + admitted;
    });
  },
);

test("what timed out while Redis hung charges nothing when it goes on, not even for a moment", async () => {
  const server = await startRedis();
  onTestFinished(() => server.stop());
  const client = openClient(server.port);
  const storage = openStorage(client, { commandTimeoutMs: TIMEOUT_MS, maxBatch: 8 });
  const one = claim(policy("fixed-window", 1000, 1, "year"));
  await storage.hit([one], ALL_OR_NOTHING);
  const written = await writesOf(client);
  server.pause();
  const hits = Array.from({ length: 64 }, () => storage.hit([one], ALL_OR_NOTHING));
  for (const hit of hits) await expect(hit).rejects.toMatchObject({ code: "STORAGE" });
  server.resume();
  await until("Redis has worked off what it was sent", () => storage.check());
  expect(await callsOf(client, "evalsha")).toBeGreaterThan(1);
  expect(await writesOf(client)).toBe(written);
});
