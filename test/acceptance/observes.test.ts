import express from "express";
import { MemoryStorage, type RateLimitInfo } from "express-limits";
import { FaultyStorage } from "express-limits/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../helpers/http.js";
import { limitedApp, ok } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

const showInfo = (req: express.Request, res: express.Response): void => {
  res.json(req.rateLimit ?? {});
};

function breachesOf(limiter: ReturnType<typeof limitedApp>["limiter"]): string[] {
  const told: string[] = [];
  limiter.on("breach", ({ error, observed }) =>
    told.push(`${observed ? "observed" : "refused"} ${error.message}`),
  );
  limiter.on("metaBreach", ({ error }) => told.push(`meta ${error.message}`));
  return told;
}

describe("observe: true", () => {
  it("lets the request run, marks it, and tells", async () => {
    const { app, limiter } = limitedApp(express);
    const told = breachesOf(limiter);
    app.get("/x", limiter.limit("2 per minute", { observe: true }), showInfo);
    const server = await serve(app);
    const rows: unknown[] = [];
    for (let i = 0; i < 4; i++) {
      const { status, headers, body } = await server.get("/x");
      const { breached, remaining, retryAfterMs } = JSON.parse(body) as RateLimitInfo;
      rows.push([
        status,
        breached,
        remaining,
        retryAfterMs,
        headers["retry-after"],
        headers["x-ratelimit-remaining"],
      ]);
    }
    expect(rows).toEqual([
      [OK, false, 1, 0, undefined, "1"],
      [OK, false, 0, 0, undefined, "0"],
      [OK, true, 0, 60_000, undefined, "0"],
      [OK, true, 0, 60_000, undefined, "0"],
    ]);
    expect(told).toEqual(["observed 2 per 1 minute", "observed 2 per 1 minute"]);
  });

  it("calls neither onBreach, nor error handlers, nor errorMessage", async () => {
    const called: string[] = [];
    const { app, limiter } = limitedApp(express, {
      passBreachToNext: true,
      onBreach: () => called.push("limiter"),
    });
    const options = {
      observe: true,
      onBreach: () => called.push("limit"),
      errorMessage: () => void called.push("message"),
    };
    app.get("/x", limiter.limit("0/minute", options), ok);
    app.use(((_error, _req, _res, next) => {
      called.push("error handler");
      next();
    }) as express.ErrorRequestHandler);
    const server = await serve(app);
    expect((await server.get("/x")).status).toBe(OK);
    expect(called).toEqual([]);
  });

  it("is in nobody's way beside a limit that refuses, and counts what passes only", async () => {
    const { app, limiter } = limitedApp(express);
    const told = breachesOf(limiter);
    app.get("/x", limiter.limit("1/minute", { observe: true }), limiter.limit("2/minute"), ok);
    const server = await serve(app);
    expect(await server.statuses(4, "/x")).toEqual([OK, OK, NO, NO]);
    expect(told).toEqual(["observed 1 per 1 minute", "refused 2 per 1 minute", "refused 2 per 1 minute"]);
    const spent = (await limiter.peek("127.0.0.1")).map(({ limit, used }) => `${used} of ${limit.amount}`);
    expect(spent.sort()).toEqual(["1 of 1", "2 of 2"]);
  });

  it("is given back when a later phase refuses", async () => {
    const { app, limiter } = limitedApp(express);
    app.use(limiter.limit("9/minute", { observe: true }));
    app.get("/x", limiter.limit("1/minute"), ok);
    const server = await serve(app);
    expect(await server.statuses(4, "/x")).toEqual([OK, NO, NO, NO]);
    const spent = (await limiter.peek("127.0.0.1")).map(({ limit, used }) => `${used} of ${limit.amount}`);
    expect(spent.sort()).toEqual(["1 of 1", "1 of 9"]);
  });

  it("replaces the default limits like any limit", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1/minute" });
    app.get("/x", limiter.limit("1/minute", { observe: true }), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, OK]);
  });

  it("shows in currentLimits what would have been", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", limiter.limit("5/minute"), limiter.limit("0/hour", { observe: true }), (req, res) => {
      res.json(limiter.currentLimits(req).map(({ limit, breached }) => `${limit} ${breached}`));
    });
    const server = await serve(app);
    expect(JSON.parse((await server.get("/x")).body)).toEqual(["5 per 1 minute false", "0 per 1 hour true"]);
  });

  it("observes a block: the request runs, and is marked until the block would end", async () => {
    const { app, limiter, clock } = limitedApp(express);
    app.get("/x", limiter.limit("1/minute", { observe: true, block: "5m" }), showInfo);
    const server = await serve(app);
    const breached: boolean[] = [];
    for (const seconds of [0, 0, 100, 199, 1]) {
      clock.advance(seconds * 1000);
      const { status, body } = await server.get("/x");
      expect(status).toBe(OK);
      breached.push((JSON.parse(body) as RateLimitInfo).breached);
    }
    expect(breached).toEqual([false, true, true, true, false]);
  });

  it("gives back by deductWhen what it charged, and only that", async () => {
    const { app, limiter, clock } = limitedApp(express);
    const deductWhen = (req: express.Request) => req.query["keep"] === "1";
    app.get("/x", limiter.limit("2/hour", { observe: true, block: "5m", deductWhen }), ok);
    const server = await serve(app);
    await server.statuses(3, "/x?keep=1");
    // Blocked: nothing is charged, so nothing may be given back.
    clock.advance(1000);
    await server.statuses(3, "/x");
    const spent = (await limiter.peek("127.0.0.1")).map(({ used }) => used);
    expect(spent).toEqual([2]);
  });

  it("does not fail requests when the storage fails", async () => {
    const storage = new FaultyStorage(new MemoryStorage());
    const { app, limiter } = limitedApp(express, { storage });
    onTestFinished(() => limiter.close());
    app.get("/x", limiter.limit("1/minute", { observe: true }), ok);
    const server = await serve(app);
    storage.fail();
    expect(await server.statuses(5, "/x")).toEqual([OK, OK, OK, OK, OK]);
  });
});
