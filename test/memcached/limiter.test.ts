import express from "express";
import { ConfigurationError, Limiter } from "express-limits";
import { describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../helpers/http.js";
import { startMemcached } from "../helpers/servers.js";

async function limitedBy(storageUri: string, options: Record<string, unknown> = {}) {
  const limiter = new Limiter({ storageUri, defaultLimits: "3 per hour", ...options });
  onTestFinished(() => limiter.close());
  const app = express();
  app.use(limiter.middleware());
  app.get("/x", (_req, res) => {
    res.send("ok");
  });
  app.get("/own", limiter.limit("1 per hour; 5 per day"), (_req, res) => {
    res.send("ok");
  });
  return { limiter, server: await serve(app) };
}

describe("a limiter with a memcached:// URI", () => {
  it("shares its counts with another limiter", async () => {
    const memcached = await startMemcached();
    onTestFinished(() => memcached.stop());
    const [one, other] = [await limitedBy(memcached.uri), await limitedBy(memcached.uri)];
    expect(await one.server.statuses(2, "/x")).toEqual([200, 200]);
    expect(await other.server.statuses(2, "/x")).toEqual([200, 429]);
    expect(await one.server.statuses(2, "/own")).toEqual([200, 429]);
    await other.limiter.clear("127.0.0.1");
    expect((await other.server.get("/x")).status).toBe(200);
  });

  it("says that it cannot forget everything", async () => {
    const memcached = await startMemcached();
    onTestFinished(() => memcached.stop());
    const { limiter, server } = await limitedBy(memcached.uri);
    await server.get("/x");
    await expect((async () => limiter.reset())()).rejects.toThrow(/cannot list its keys/);
  });

  it("answers while Memcached hangs, counts in memory, and comes back", { timeout: 20_000 }, async () => {
    const memcached = await startMemcached();
    onTestFinished(() => memcached.stop());
    const events: string[] = [];
    const { limiter, server } = await limitedBy(memcached.uri, {
      storageTimeout: "200ms",
      inMemoryFallbackEnabled: true,
    });
    limiter.on("storageError", () => events.push("lost"));
    limiter.on("storageRecovered", () => events.push("back"));
    expect((await server.get("/x")).status).toBe(200);
    memcached.pause();
    const startedAt = performance.now();
    expect(await server.statuses(4, "/x")).toEqual([200, 200, 200, 429]);
    expect(performance.now() - startedAt).toBeLessThan(1500);
    memcached.resume();
    const until = performance.now() + 10_000;
    while (!events.includes("back") && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(events).toEqual(["lost", "back"]);
  });

  it("refuses limits that it cannot count, and bad URIs, when it is built", () => {
    const limiter = new Limiter({ storageUri: "memcached://127.0.0.1:1" });
    onTestFinished(() => limiter.close());
    expect(() => limiter.limit("5000/hour", { strategy: "moving-window" })).toThrow(ConfigurationError);
    expect(() => new Limiter({ storageUri: "memcached://host:port" })).toThrow(ConfigurationError);
  });
});
