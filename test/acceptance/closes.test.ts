import { setTimeout as sleep } from "node:timers/promises";
import express from "express";
import { Limiter, type LimiterOptions, MemoryStorage } from "express-limits";
// What a URI loads is loaded before the first request.
import "express-limits/memcached";
import "express-limits/redis";
import { FaultyStorage } from "express-limits/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../helpers/http.js";
import { errorSink, ok } from "../helpers/limited-app.js";
import { startMemcached, startRedis } from "../helpers/servers.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

expectNoUnhandledRejections();

const TIMEOUT_MS = 300;

async function app(options: LimiterOptions) {
  const told: string[] = [];
  const note = (line: string) => told.push(line);
  const limiter = new Limiter({
    applicationLimits: "100 per hour",
    storageTimeout: TIMEOUT_MS,
    logger: { warn: note, error: note },
    ...options,
  });
  onTestFinished(() => limiter.close());
  for (const event of ["storageError", "storageRecovered"] as const) limiter.on(event, () => note(event));
  const site = express();
  const arrivals: (() => void)[] = [];
  site.use((_req, _res, next) => {
    setImmediate(() => arrivals.shift()?.());
    next();
  });
  site.use(limiter.middleware());
  site.get("/", ok);
  site.use(errorSink().handler);
  const server = await serve(site);
  /** Closes the limiter when the next request is on its way. */
  const closeInTheMiddle = () =>
    new Promise<number>((resolve) => {
      arrivals.push(() => {
        const startedAt = performance.now();
        void limiter.close().then(() => resolve(performance.now() - startedAt));
      });
    });
  return { limiter, server, told, closeInTheMiddle };
}

describe.each([
  { name: "Redis", start: startRedis },
  { name: "Memcached", start: startMemcached },
])("A limiter that is closed, on $name", ({ start }) => {
  it("makes the decisions that are under way; later ones fail, and no outage is told", async () => {
    const storage = await start();
    onTestFinished(() => storage.stop());
    const { server, told, closeInTheMiddle } = await app({ storageUri: storage.uri });
    expect(await server.statuses(1, "/")).toEqual([200]);
    const closed = closeInTheMiddle();
    expect(await server.statuses(1, "/")).toEqual([200]);
    expect(await closed).toBeLessThan(TIMEOUT_MS);
    expect(await server.statuses(3, "/")).toEqual([503, 503, 503]);
    expect(told).toEqual([]);
  });

  it("waits no longer for a server that hangs than a request does", async () => {
    const storage = await start();
    onTestFinished(() => storage.stop());
    const { server, closeInTheMiddle } = await app({ storageUri: storage.uri });
    expect(await server.statuses(1, "/")).toEqual([200]);
    storage.pause();
    onTestFinished(() => storage.resume());
    // Its threads stop one after the other.
    await sleep(200);
    const closed = closeInTheMiddle();
    expect(await server.statuses(1, "/")).toEqual([503]);
    expect(await closed).toBeLessThan(TIMEOUT_MS + 150);
  });
});

it("A limiter that is closed goes on with a storage that is not its own", async () => {
  const { limiter, server, told } = await app({
    storage: new MemoryStorage(),
    applicationLimits: "2 per hour",
  });
  await limiter.close();
  await limiter.close();
  expect(await server.statuses(3, "/")).toEqual([200, 200, 429]);
  expect(told).toEqual([]);
});

it.each(["before", "after"])(
  "A storage of the user's that fails %s the limiter is closed is asked again",
  async (when) => {
    const storage = new FaultyStorage(new MemoryStorage());
    const { limiter, server } = await app({ storage });
    if (when === "after") await limiter.close();
    storage.fail();
    expect(await server.statuses(4, "/")).toEqual([503, 503, 503, 503]);
    if (when === "before") await limiter.close();
    storage.heal();
    expect(await server.statuses(2, "/")).toEqual([200, 200]);
  },
);
