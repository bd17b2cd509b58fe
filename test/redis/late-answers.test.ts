import { Limiter } from "express-limits";
import { expect, onTestFinished, test } from "vitest";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import { until } from "../helpers/server-process.js";
import { startRedis } from "../helpers/servers.js";
import { claim, policy } from "./claims.js";
import { callsOf, forAllTests, openClient, openStorage, writesOf } from "./connections.js";

const TIMEOUT_MS = 100;
const LIMIT = "10 per day";

const redis = forAllTests(startRedis);

/** Keeps this process from doing anything else. */
function standStillUntil(instant: number): void {
  while (performance.now() < instant);
}

/** The storage meets its deadlines in steps of 10 ms, so it may believe to be in time a little longer. */
test.each([1, 5, 9])("an answer that is read %i ms after the deadline charges nothing", async (lateMs) => {
  const storage = openStorage(openClient((await redis()).port));
  const limiter = new Limiter({ storage, storageTimeout: TIMEOUT_MS, keyPrefix: `late-${lateMs}` });
  onTestFinished(() => limiter.close());
  await limiter.hit(LIMIT, "ann");
  standStillUntil(Math.ceil(performance.now() / 10) * 10 + 0.5);
  const askedAt = performance.now();
  const hit = limiter.hit(LIMIT, "ann");
  const refused = expect(hit).rejects.toMatchObject({ code: "STORAGE" });
  await new Promise(setImmediate);
  // The script is on its way, and decides at once. Our own turn takes too long to read the answer.
  standStillUntil(askedAt + TIMEOUT_MS + lateMs);
  await refused;
  const other = new Limiter({ storage, keyPrefix: `late-${lateMs}` });
  onTestFinished(() => other.close());
  await until("what was charged is given back", async () => (await other.test(LIMIT, "ann")).used === 1);
});

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
