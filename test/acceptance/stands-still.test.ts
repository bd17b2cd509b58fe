import { setTimeout as sleep } from "node:timers/promises";
import express from "express";
import { Limiter } from "express-limits";
// What a URI loads is loaded before the first request.
import "express-limits/memcached";
import "express-limits/redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../helpers/http.js";
import { ok } from "../helpers/limited-app.js";
import { startMemcached, startRedis } from "../helpers/servers.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

expectNoUnhandledRejections();

const TIMEOUT_MS = 200;

function standStill(ms: number): void {
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt);
}

describe.each([
  { name: "Redis", start: startRedis },
  { name: "Memcached", start: startMemcached },
])("A process that stands still for longer than storageTimeout, with $name", ({ start }) => {
  async function app() {
    const storage = await start();
    onTestFinished(() => storage.stop());
    const limiter = new Limiter({
      storageUri: storage.uri,
      storageTimeout: TIMEOUT_MS,
      applicationLimits: "1000 per hour; 2000 per day",
      headersEnabled: true,
      logger: { warn() {}, error() {} },
    });
    onTestFinished(() => limiter.close());
    const told: string[] = [];
    limiter.on("storageError", ({ error }) => told.push(error.message));
    const site = express();
    site.get("/before", (_req, res) => {
      standStill(TIMEOUT_MS * 2);
      res.send("OK");
    });
    site.use(limiter.middleware());
    site.get("/", ok);
    site.get("/work", (_req, res) => {
      standStill(TIMEOUT_MS * 2);
      res.send("OK");
    });
    const server = await serve(site);
    await server.get("/");
    return { server, storage, limiter, told };
  }

  it.each(["/work", "/before"])("admits, counts, and tells of no outage: GET %s", async (path) => {
    const { server, told } = await app();
    const ask = (count: number) => Array.from({ length: count }, () => server.get("/"));
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all([...ask(5), server.get(path), ...ask(5)]);
      expect(answers.map(({ status }) => status)).toEqual(new Array(11).fill(200));
    }
    expect(told).toEqual([]);
    const asked = 1 + 3 * (path === "/work" ? 11 : 10);
    const last = await server.get("/");
    expect(last.headers["x-ratelimit-remaining"]).toBe(String(1000 - asked - 1));
  });

  it("has charged what it admitted, and nothing else, when the server stands still now and then, too", async () => {
    const { server, storage, limiter } = await app();
    onTestFinished(() => storage.resume());
    const endsAt = performance.now() + 4000;
    const statuses: number[] = [200];
    const client = async () => {
      while (performance.now() < endsAt) {
        statuses.push((await server.get("/")).status);
        await sleep(100);
      }
    };
    const works = async () => {
      for (let ms = 50; performance.now() < endsAt; ms = (ms * 3) % 370) {
        standStill(ms);
        await sleep(ms);
      }
    };
    const hangs = async () => {
      for (let ms = 50; performance.now() < endsAt; ms = (ms * 5) % 430) {
        storage.pause();
        await sleep(ms);
        storage.resume();
        await sleep(700);
      }
    };
    await Promise.all([...Array.from({ length: 20 }, client), works(), hangs()]);
    const admitted = statuses.filter((status) => status === 200).length;
    expect(statuses).toContain(503);
    expect(admitted).toBeGreaterThan(100);
    const used = async () => (await limiter.peek("127.0.0.1")).map((limit) => limit.used);
    await expect.poll(used, { timeout: 10_000 }).toEqual([admitted, admitted]);
  });

  it("still gives up a server that hangs", async () => {
    const { server, storage, told } = await app();
    storage.pause();
    onTestFinished(() => storage.resume());
    // Its threads stop one after the other.
    await sleep(200);
    const startedAt = performance.now();
    const waiting = server.get("/");
    await sleep(10);
    standStill(TIMEOUT_MS * 2);
    expect((await waiting).status).toBe(503);
    expect(performance.now() - startedAt).toBeLessThan(TIMEOUT_MS * 2 + 100 + 80);
    expect(told).toHaveLength(1);
  });
});
