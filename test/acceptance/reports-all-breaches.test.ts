import express from "express";
import { type LimiterOptions, RateLimitExceeded } from "express-limits";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { limitedApp, ok } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

/** `/x` with three limits; what breached is kept. */
async function three(options: LimiterOptions) {
  const breaches: string[][] = [];
  const made = limitedApp(express, {
    ...options,
    onBreach: (_req, _res, breach) => void breaches.push(breach.limits.map(({ limit }) => limit.toString())),
  });
  const { app, limiter } = made;
  app.get("/x", limiter.limit("1/second; 2/minute"), limiter.limit("9/hour"), ok);
  const spent = async () => (await limiter.peek("127.0.0.1")).map(({ limit, used }) => `${used} of ${limit}`);
  return { ...made, breaches, spent, server: await serve(app) };
}

describe("failOnFirstBreach", () => {
  it("true: a refused request charges nothing", async () => {
    const { server, breaches, spent } = await three({});
    expect(await server.statuses(5, "/x")).toEqual([OK, NO, NO, NO, NO]);
    expect(breaches).toEqual(Array(4).fill(["1 per 1 second"]));
    expect(await spent()).toEqual(["1 of 1 per 1 second", "1 of 2 per 1 minute", "1 of 9 per 1 hour"]);
  });

  it("false: each limit is charged on its own, and all breaches are reported", async () => {
    const { server, breaches, spent } = await three({ failOnFirstBreach: false });
    expect(await server.statuses(5, "/x")).toEqual([OK, NO, NO, NO, NO]);
    expect(breaches).toEqual([
      ["1 per 1 second"],
      ["1 per 1 second", "2 per 1 minute"],
      ["1 per 1 second", "2 per 1 minute"],
      ["1 per 1 second", "2 per 1 minute"],
    ]);
    expect(await spent()).toEqual(["1 of 1 per 1 second", "2 of 2 per 1 minute", "5 of 9 per 1 hour"]);
  });

  it("false: body, wait and headers are those of the longest wait", async () => {
    const { server } = await three({ failOnFirstBreach: false });
    await server.statuses(2, "/x");
    const { headers, body } = await server.get("/x", { accept: "application/json" });
    expect([headers["retry-after"], headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]]).toEqual([
      "60",
      "2",
      "0",
    ]);
    expect(JSON.parse(body)).toMatchObject({
      detail: "2 per 1 minute",
      retryAfter: 60,
      "violated-policies": ["1-per-second", "2-per-minute"],
    });
  });

  it("false: what an earlier phase charged stays charged", async () => {
    const { app, limiter } = limitedApp(express, { failOnFirstBreach: false, applicationLimits: "3/minute" });
    app.get("/x", limiter.limit("1/minute"), ok);
    app.get("/y", ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, NO, NO]);
    expect((await server.get("/y")).status).toBe(NO);
  });

  it("false: a meta limit that refuses charges nothing", async () => {
    const { server, spent } = await three({ failOnFirstBreach: false, metaLimits: "1/hour" });
    await server.statuses(6, "/x");
    expect((await spent()).sort()).toEqual([
      "1 of 1 per 1 hour",
      "1 of 1 per 1 second",
      "2 of 2 per 1 minute",
      "2 of 9 per 1 hour",
    ]);
  });

  it.each([true, false])(
    "%s: currentLimits tells of each limit whether it refused",
    async (failOnFirstBreach) => {
      const told: unknown[] = [];
      const { app, limiter } = limitedApp(express, {
        failOnFirstBreach,
        onBreach: (req, _res, breach) => {
          expect(breach).toBeInstanceOf(RateLimitExceeded);
          for (const { limit, breached } of limiter.currentLimits(req)) told.push(`${limit} ${breached}`);
        },
      });
      app.get("/x", limiter.limit("0/second; 5/minute; 0/hour"), ok);
      const server = await serve(app);
      await server.get("/x");
      expect(told).toEqual(["0 per 1 second true", "5 per 1 minute false", "0 per 1 hour true"]);
    },
  );
});
