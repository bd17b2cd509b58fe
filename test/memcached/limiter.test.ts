import express from "express";
import { ConfigurationError, Limiter } from "express-limits";
// What a URI loads on demand: here the first request would wait for the sources to be compiled.
import "express-limits/memcached";
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

  it("refuses limits that it cannot count, and bad URIs, when it is built", () => {
    const limiter = new Limiter({ storageUri: "memcached://127.0.0.1:1" });
    onTestFinished(() => limiter.close());
    expect(() => limiter.limit("5000/hour", { strategy: "moving-window" })).toThrow(ConfigurationError);
    expect(() => new Limiter({ storageUri: "memcached://host:port" })).toThrow(ConfigurationError);
  });
});
