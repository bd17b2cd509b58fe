import express from "express";
import { type LimiterOptions, RateLimitExceeded } from "express-limits";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { errorSink, limitedApp, ok } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

/** `/x` checks by itself; `/own` has a limit too. Nothing is mounted unless asked. */
async function checking(options: LimiterOptions, mount = false) {
  const made = limitedApp(express, options, mount);
  const { app, limiter } = made;
  const { errors, handler } = errorSink();
  app.get("/x", async (req, res) => {
    for (let i = 0; i < Number(req.query["times"] ?? 1); i++) await limiter.check(req, res);
    res.send("ok");
  });
  app.get("/own", limiter.limit("2/minute"), async (req, res) => {
    await limiter.check(req, res);
    res.send("ok");
  });
  app.get("/free", limiter.exempt, async (req, res) => {
    await limiter.check(req, res);
    res.send("ok");
  });
  app.use(handler);
  return { ...made, errors, server: await serve(app) };
}

/** A key function that fails once for each request. */
function failingFirst() {
  const failed = new WeakSet<object>();
  return (req: object): string => {
    if (failed.has(req)) return "somebody";
    failed.add(req);
    throw new Error("not yet");
  };
}

describe("check(req, res)", () => {
  it("decides here and now, sets headers, and throws a refusal", async () => {
    const { server, errors } = await checking({ defaultLimits: "2/minute" });
    const first = await server.get("/x");
    expect([first.status, first.headers["x-ratelimit-remaining"]]).toEqual([OK, "1"]);
    expect((await server.get("/x")).status).toBe(OK);
    const refused = await server.get("/x");
    expect([
      refused.status,
      refused.headers["retry-after"],
      refused.headers["x-ratelimit-remaining"],
    ]).toEqual([NO, "60", "0"]);
    expect(errors).toEqual([expect.any(RateLimitExceeded)]);
    expect(errors[0]).toMatchObject({
      retryAfter: 60,
      message: "2 per 1 minute",
      code: "RATE_LIMIT_EXCEEDED",
    });
  });

  it("charges nothing twice: neither called twice, nor behind the middleware", async () => {
    const { server } = await checking({ defaultLimits: "2/minute", applicationLimits: "9/minute" }, true);
    expect((await server.get("/x?times=5")).headers["x-ratelimit-remaining"]).toBe("1");
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("adds application limits to a route that has its own", async () => {
    const { server } = await checking({ defaultLimits: "1/minute", applicationLimits: "9/minute" });
    expect(await server.statuses(3, "/own")).toEqual([OK, OK, NO]);
  });

  it("refuses whom the application or a meta limit refuses", async () => {
    const { server, errors } = await checking({ applicationLimits: "2/minute", metaLimits: "1/hour" });
    expect(await server.statuses(4, "/x")).toEqual([OK, OK, NO, NO]);
    expect(errors.map((error) => (error as RateLimitExceeded).isMeta)).toEqual([false, true]);
  });

  it("knows exemptions and filters", async () => {
    const { server, limiter } = await checking({ defaultLimits: "1/minute", applicationLimits: "1/minute" });
    expect(await server.statuses(3, "/free")).toEqual([OK, OK, OK]);
    limiter.requestFilter((req) => req.query["team"] === "1");
    expect(await server.statuses(3, "/x?team=1")).toEqual([OK, OK, OK]);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("throws ClientDenied for a client on the deny list", async () => {
    const { server, errors } = await checking({ denyList: ["127.0.0.1"] });
    expect((await server.get("/x")).status).toBe(403);
    expect(errors).toEqual([
      expect.objectContaining({ code: "CLIENT_DENIED", status: 403, key: "127.0.0.1" }),
    ]);
  });

  it("tells no event and calls no handler: whoever calls it decides", async () => {
    const called: string[] = [];
    const { server, limiter } = await checking({
      defaultLimits: "0/minute",
      onBreach: () => called.push("onBreach"),
    });
    limiter.on("breach", () => called.push("breach"));
    await server.get("/x");
    expect(called).toEqual([]);
  });

  it("that failed decides all when it is called again", async () => {
    const keyFunc = failingFirst();
    const { app, limiter } = limitedApp(express, { applicationLimits: "1/minute", keyFunc }, false);
    app.get("/x", async (req, res) => {
      await limiter.check(req, res).catch(() => limiter.check(req, res));
      res.send("ok");
    });
    app.use(errorSink().handler);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, NO, NO]);
  });

  it("that is caught lets the handler go on", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "0/minute" }, false);
    app.get("/x", async (req, res) => {
      const refusal = await limiter.check(req, res).catch((error: RateLimitExceeded) => error);
      res.send(refusal?.message ?? "passed");
    });
    const server = await serve(app);
    expect(await server.get("/x")).toMatchObject({ status: OK, body: "0 per 1 minute" });
  });
});

describe("currentLimit and currentLimits", () => {
  it("are empty where nothing limited the request", async () => {
    const { app, limiter } = limitedApp(express, {}, false);
    app.get("/x", (req, res) => {
      res.json([limiter.currentLimit(req) ?? null, limiter.currentLimits(req), req.rateLimit ?? null]);
    });
    const server = await serve(app);
    expect(JSON.parse((await server.get("/x")).body)).toEqual([null, [], null]);
  });

  it("tell every limit of all phases, and the one that headers show", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "9/hour" });
    app.get("/x", limiter.limit("5/minute"), limiter.limit("7/minute"), (req, res) => {
      const current = limiter.currentLimit(req);
      const all = limiter
        .currentLimits(req)
        .map(({ limit, scope, used, key }) => `${scope}: ${used} of ${limit} by ${key}`);
      res.json({ current: current?.limit.toString(), breached: current?.breached, all });
    });
    const server = await serve(app);
    const answer = await server.get("/x");
    expect(answer.headers["x-ratelimit-limit"]).toBe("5");
    expect(JSON.parse(answer.body)).toEqual({
      current: "5 per 1 minute",
      breached: false,
      all: [
        "application: 1 of 9 per 1 hour by 127.0.0.1",
        "GET /x: 1 of 5 per 1 minute by 127.0.0.1",
        "GET /x: 1 of 7 per 1 minute by 127.0.0.1",
      ],
    });
  });
});

describe("several limiters on one app", () => {
  it("are independent, the headers show the one with the least left, and nothing is doubled", async () => {
    const { app, limiter, clock } = limitedApp(express, { defaultLimits: "5/minute" });
    const other = limitedApp(express, { defaultLimits: "2/hour", clock }, false).limiter;
    app.use(other.middleware());
    app.get("/x", (req, res) => {
      res.json([
        limiter.currentLimit(req)?.remaining,
        other.currentLimit(req)?.remaining,
        req.rateLimit?.policy,
      ]);
    });
    app.get("/free", other.exempt, ok);
    const server = await serve(app);
    const first = await server.get("/x");
    expect(first.headers["x-ratelimit-limit"]).toBe("2");
    expect(JSON.parse(first.body)).toEqual([4, 1, "2 per 1 hour"]);
    expect((await server.get("/free")).headers["x-ratelimit-limit"]).toBe("5");
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    // The refusal of one gives nothing of the other's back: they know nothing of each other.
    expect((await limiter.peek("127.0.0.1", { scope: "/x" })).map(({ used }) => used)).toEqual([3]);
  });

  it("keep their exemptions, filters, switches and events to themselves", async () => {
    const { app, limiter, clock } = limitedApp(express, { defaultLimits: "1/minute" });
    const other = limitedApp(express, { defaultLimits: "2/hour", clock }, false).limiter;
    const told: string[] = [];
    limiter.on("breach", () => told.push("limiter"));
    other.on("breach", () => told.push("other"));
    app.use(other.middleware());
    app.get("/x", ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    limiter.enabled = false;
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    other.requestFilter(() => true);
    expect(await server.statuses(2, "/x")).toEqual([OK, OK]);
    expect(told).toEqual(["limiter", "other"]);
  });

  it("count apart on one storage when their prefixes differ", async () => {
    const made = limitedApp(express, { defaultLimits: "1/minute", keyPrefix: "a" });
    const { app, clock } = made;
    const other = limitedApp(express, { defaultLimits: "1/minute", keyPrefix: "b", clock }, false).limiter;
    app.use(other.middleware());
    app.get("/x", ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });
});
