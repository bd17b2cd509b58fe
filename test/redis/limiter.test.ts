import express from "express";
import { ConfigurationError, Limiter } from "express-limits";
// What a URI loads on demand: here the first request would wait for the sources to be compiled.
import "express-limits/redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../helpers/http.js";
import { startRedis } from "../helpers/servers.js";

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

describe("a limiter with a redis:// URI", () => {
  it("shares its counts with another limiter", async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    // What one process knows to be exhausted it refuses by itself for a second: off, to see the other clear it.
    const exact = { storageOptions: { denyCacheMs: 0 } };
    const [one, other] = [await limitedBy(redis.uri, exact), await limitedBy(redis.uri, exact)];
    expect(await one.server.statuses(2, "/x")).toEqual([200, 200]);
    expect(await other.server.statuses(2, "/x")).toEqual([200, 429]);
    expect((await one.server.get("/x")).headers["retry-after"]).toMatch(/^(3600|3599)$/);
    expect(await one.server.statuses(2, "/own")).toEqual([200, 429]);
    const told = await other.limiter.peek("127.0.0.1");
    expect(told.map(({ used }) => used)).toContain(3);
    await other.limiter.clear("127.0.0.1");
    expect((await one.server.get("/x")).status).toBe(200);
    await one.limiter.reset();
    expect(await other.server.statuses(2, "/x")).toEqual([200, 200]);
  });

  it("works once a server that was down at the start is there", { timeout: 20_000 }, async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    await redis.kill();
    const { limiter, server } = await limitedBy(redis.uri, { storageTimeout: "200ms" });
    expect((await server.get("/x")).status).toBe(503);
    await redis.restart();
    const back = new Promise((resolve) => limiter.on("storageRecovered", resolve));
    await back;
    expect(await server.statuses(4, "/x")).toEqual([200, 200, 200, 429]);
  });

  it("refuses a URI that cannot be read when it is built, without its password", () => {
    const build = () => new Limiter({ storageUri: "redis://user:secret@host:port" });
    expect(build).toThrow(ConfigurationError);
    expect(build).not.toThrow(/secret/);
  });
});
