import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from "express";
import { byHeader, byUser, type Limiter, RateLimitExceeded } from "express-limits";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { limitedApp, ok, pass } from "../helpers/limited-app.js";
import { expectTimeline } from "../helpers/timeline.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

describe("stacked limits", () => {
  const ways: [string, (limiter: Limiter) => RequestHandler[]][] = [
    ["several middlewares", (limiter) => [limiter.limit("2/second"), limiter.limit("3/minute")]],
    ["in the other order", (limiter) => [limiter.limit("3/minute"), limiter.limit("2/second")]],
    ["one text", (limiter) => [limiter.limit("2/second; 3/minute")]],
    ["one list", (limiter) => [limiter.limit(["2/second", "3/minute"])]],
    [
      "with something between them",
      (limiter) => [limiter.limit("2/second"), pass, limiter.limit("3/minute")],
    ],
  ];

  it.each(ways)("all hold, and what one refuses the others do not charge: %s", async (_how, limits) => {
    const { app, limiter, clock } = limitedApp(express);
    app.get("/x", ...limits(limiter), ok);
    const server = await serve(app);
    await expectTimeline(server, clock, [
      { at: 0, ask: "GET /x", status: OK },
      { at: 0, ask: "GET /x", status: OK },
      { at: 0, ask: "GET /x", status: NO, wait: 1 },
      { at: 0, ask: "GET /x", status: NO, wait: 1 },
      { at: 1, ask: "GET /x", status: OK },
      { at: 1, ask: "GET /x", status: NO, wait: 59 },
      { at: 59.5, ask: "GET /x", status: NO, wait: 1 },
      { at: 60, ask: "GET /x", status: OK },
    ]);
  });

  it("of one text, written twice, count once", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", limiter.limit("2/minute; 2/minute"), limiter.limit("2 per minute"), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
  });

  it("count different clients: by user, by key and by address", async () => {
    const { app, limiter } = limitedApp(express);
    app.set("trust proxy", true);
    const authenticate = (req: Request, _res: Response, next: () => void): void => {
      const id = req.get("x-user");
      if (id !== undefined) Object.assign(req, { user: { id } });
      next();
    };
    app.get(
      "/x",
      limiter.limit("6/minute"),
      limiter.limit("4/minute", { keyFunc: byHeader("x-api-key") }),
      authenticate,
      limiter.limit("2/minute", { keyFunc: byUser() }),
      ok,
    );
    const server = await serve(app);
    const as = async (address: string, key: string, user: string) =>
      (await server.get("/x", { "x-forwarded-for": address, "x-api-key": key, "x-user": user })).status;
    expect([await as("192.0.2.1", "k1", "ann"), await as("192.0.2.1", "k1", "ann")]).toEqual([OK, OK]);
    expect(await as("192.0.2.2", "k2", "ann")).toBe(NO);
    expect([await as("192.0.2.1", "k1", "bob"), await as("192.0.2.1", "k1", "bob")]).toEqual([OK, OK]);
    expect(await as("192.0.2.2", "k1", "cy")).toBe(NO);
    expect([await as("192.0.2.1", "k3", "cy"), await as("192.0.2.1", "k3", "cy")]).toEqual([OK, OK]);
    expect(await as("192.0.2.1", "k4", "dan")).toBe(NO);
  });

  it("call one handler, the nearest, with all that were breached", async () => {
    const called: string[] = [];
    const { app, limiter } = limitedApp(express, { onBreach: () => void called.push("limiter") });
    const onBreach = (name: string) => (_req: unknown, _res: unknown, breach: RateLimitExceeded) =>
      void called.push(`${name}: ${breach.limits.map(({ limit }) => limit.toString()).join(", ")}`);
    app.get(
      "/both",
      limiter.limit("0/second", { onBreach: onBreach("a") }),
      limiter.limit("0/hour", { onBreach: onBreach("b") }),
      ok,
    );
    app.get("/none", limiter.limit("0/second"), ok);
    const server = await serve(app);
    await server.get("/both");
    await server.get("/none");
    expect(called).toEqual([expect.stringMatching(/^[ab]: 0 per 1 second, 0 per 1 hour$/), "limiter"]);
  });
});

describe("an error handler", () => {
  const handler: ErrorRequestHandler = (error, _req, res, next) => {
    if (error instanceof RateLimitExceeded) {
      res.status(error.status).json({
        code: error.code,
        retryAfter: error.retryAfter,
        ms: error.retryAfterMs,
        message: error.message,
      });
    } else next(error);
  };

  it("finds err.retryAfter, in whole seconds, rounded up", async () => {
    const { app, limiter, clock } = limitedApp(express, { passBreachToNext: true });
    app.get("/x", limiter.limit("1 per 10 seconds"), ok);
    app.use(handler);
    const server = await serve(app);
    await server.get("/x");
    clock.advance(100);
    const { status, headers, body } = await server.get("/x");
    expect([status, headers["retry-after"], headers["x-ratelimit-remaining"]]).toEqual([NO, "10", "0"]);
    expect(JSON.parse(body)).toEqual({
      code: "RATE_LIMIT_EXCEEDED",
      retryAfter: 10,
      ms: 9900,
      message: "1 per 10 second",
    });
  });

  it("finds errorMessage in err.message, and the route's onBreach called before", async () => {
    const called: string[] = [];
    const { app, limiter } = limitedApp(express, { passBreachToNext: true });
    const onBreach = () => void called.push("onBreach");
    app.get(
      "/x",
      limiter.limit("0/minute", { errorMessage: () => Promise.resolve("slow down"), onBreach }),
      ok,
    );
    app.use(handler);
    const server = await serve(app);
    expect(JSON.parse((await server.get("/x")).body).message).toBe("slow down");
    expect(called).toEqual(["onBreach"]);
  });

  it("is not called when onBreach has answered", async () => {
    const { app, limiter } = limitedApp(express, {
      passBreachToNext: true,
      onBreach: (_req, res) => void res.status(420).send("calm"),
    });
    app.get("/x", limiter.limit("0/minute"), ok);
    app.use(handler);
    const server = await serve(app);
    expect(await server.get("/x")).toMatchObject({ status: 420, body: "calm" });
  });

  it("finds no wait that would help where none does", async () => {
    const { app, limiter } = limitedApp(express, { passBreachToNext: true });
    app.get("/x", limiter.limit("0/minute"), ok);
    app.use(handler);
    const server = await serve(app);
    const { headers, body } = await server.get("/x");
    expect(headers).not.toHaveProperty("retry-after");
    expect(JSON.parse(body)).toMatchObject({ retryAfter: null, ms: null });
  });
});
