import express from "express";
import { type LimiterOptions, MemoryStorage } from "express-limits";
import { FaultyStorage, ManualClock } from "express-limits/testing";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { limitedApp, ok, START } from "../helpers/limited-app.js";
import { expectTimeline } from "../helpers/timeline.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

/** `/x` with one request in 10 seconds, `/y` and `/free` without a limit of their own. */
async function served(options: LimiterOptions) {
  const made = limitedApp(express, options);
  const { app, limiter } = made;
  app.all("/x", limiter.limit("1 per 10 seconds"), ok);
  app.get("/y", ok);
  app.get("/free", limiter.exempt, ok);
  return { ...made, server: await serve(app) };
}

describe("metaLimits of the limiter", () => {
  it("of 2 per minute allow two breaches, and block from the next request until the window ends", async () => {
    const { server, clock } = await served({ metaLimits: "2 per minute" });
    await expectTimeline(server, clock, [
      { at: 0, ask: "GET /x", status: OK },
      { at: 1, ask: "GET /x", status: NO, wait: 9 },
      // The second breach uses the meta limit up: its wait is the longer one, and is told at once.
      { at: 2, ask: "GET /x", status: NO, wait: 59 },
      { at: 3, ask: "GET /x", status: NO, wait: 58 },
      { at: 4, ask: "GET /y", status: NO, wait: 57 },
      { at: 5, ask: "GET /nothing", status: NO, wait: 56 },
      // The limit itself would let it pass again; the meta limit does not.
      { at: 15, ask: "GET /x", status: NO, wait: 46 },
      { at: 60.999, ask: "GET /y", status: NO, wait: 1 },
      { at: 61, ask: "GET /y", status: OK },
      { at: 61, ask: "GET /x", status: OK },
      { at: 61, ask: "GET /x", status: NO, wait: 10 },
    ]);
  });

  it("are not prolonged by what they refuse, and what they refuse charges nothing", async () => {
    const { server, clock, limiter } = await served({
      metaLimits: "1 per minute",
      applicationLimits: "5/hour",
    });
    await server.statuses(2, "/x");
    clock.advance(30_000);
    await server.statuses(20, "/x");
    await server.statuses(20, "/y");
    const spent = (await limiter.peek("127.0.0.1")).map(({ scope, used }) => `${scope}: ${used}`);
    expect(spent).toEqual(["meta: 1", "application: 1"]);
    clock.advance(30_000);
    expect((await server.get("/x")).status).toBe(OK);
  });

  it("count a request with several breaches once", async () => {
    const { app, limiter } = limitedApp(express, { metaLimits: "2/minute", failOnFirstBreach: false });
    app.get("/x", limiter.limit("0/second"), limiter.limit("0/hour"), ok);
    app.get("/y", ok);
    const server = await serve(app);
    await server.get("/x");
    expect((await server.get("/y")).status).toBe(OK);
    await server.get("/x");
    expect((await server.get("/y")).status).toBe(NO);
  });

  it("count each client by itself", async () => {
    const { server } = await served({
      metaLimits: "1/minute",
      keyFunc: (req) => req.headers["x-user"] as string | undefined,
    });
    await server.statuses(2, "/x", { "x-user": "ann" });
    expect((await server.get("/y", { "x-user": "ann" })).status).toBe(NO);
    expect((await server.get("/y", { "x-user": "bob" })).status).toBe(OK);
    expect((await server.get("/y")).status).toBe(OK);
  });

  it("do not refuse what is exempt from them, nor count its breaches", async () => {
    const { app, limiter } = limitedApp(express, { metaLimits: "1/minute" });
    app.get("/x", limiter.limit("1/minute"), ok);
    app.get("/strict", limiter.exempt({ default: false, application: false }), limiter.limit("0/minute"), ok);
    app.get("/y", ok);
    app.get("/free", limiter.exempt, ok);
    app.get("/still", limiter.exempt({ meta: false }), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/strict")).toEqual([NO, NO, NO]);
    expect((await server.get("/y")).status).toBe(OK);
    await server.statuses(2, "/x");
    expect((await server.get("/y")).status).toBe(NO);
    expect((await server.get("/free")).status).toBe(OK);
    expect((await server.get("/still")).status).toBe(NO);
  });

  it("are lifted by the kill switch and by request filters", async () => {
    const { server, limiter } = await served({ metaLimits: "1/minute" });
    limiter.requestFilter((req) => req.headers["x-team"] === "1");
    await server.statuses(2, "/x");
    expect((await server.get("/y")).status).toBe(NO);
    expect((await server.get("/y", { "x-team": "1" })).status).toBe(OK);
    limiter.enabled = false;
    expect((await server.get("/y")).status).toBe(OK);
    limiter.enabled = true;
    expect((await server.get("/y")).status).toBe(NO);
  });

  it("are decided in the trip of the limits that they follow", async () => {
    const storage = new FaultyStorage(new MemoryStorage());
    const { server } = await served({ storage, metaLimits: "9/minute", applicationLimits: "9/minute" });
    await server.get("/y");
    expect(storage.calls).toMatchObject({ hit: 1, test: 0, refund: 0 });
    await server.get("/x");
    // One trip for each phase.
    expect(storage.calls).toMatchObject({ hit: 3, test: 0, refund: 0 });
  });

  it("have their key under the prefix", async () => {
    const storage = new MemoryStorage({ clock: new ManualClock(START) });
    const { limiter, server } = await served({ storage, metaLimits: "1/minute", keyPrefix: "shop" });
    const other = await served({ storage, metaLimits: "1/minute", keyPrefix: "blog" });
    await server.statuses(2, "/x");
    expect((await server.get("/y")).status).toBe(NO);
    expect((await other.server.get("/y")).status).toBe(OK);
    await limiter.reset();
    expect((await server.get("/y")).status).toBe(OK);
  });

  it("may be several: the longest wait is told", async () => {
    const { server, clock } = await served({ metaLimits: ["1 per minute", "2 per hour"] });
    await expectTimeline(server, clock, [
      { at: 0, ask: "GET /x", status: OK },
      { at: 1, ask: "GET /x", status: NO, wait: 60 },
      { at: 61, ask: "GET /x", status: OK },
      { at: 62, ask: "GET /x", status: NO, wait: 3539 },
      { at: 3600.9, ask: "GET /y", status: NO },
      { at: 3601, ask: "GET /y", status: OK },
    ]);
  });

  it("count breaches of application and default limits too", async () => {
    const { server } = await served({
      metaLimits: "2/hour",
      applicationLimits: "3/minute",
      defaultLimits: "1/minute",
    });
    expect(await server.statuses(2, "/y")).toEqual([OK, NO]);
    expect((await server.get("/free")).status).toBe(OK);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect((await server.get("/nothing")).status).toBe(NO);
  });

  it("count and refuse exactly under concurrency", async () => {
    const { server, limiter } = await served({ metaLimits: "3/minute" });
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.get("/x")));
    expect(answers.filter(({ status }) => status === OK)).toHaveLength(1);
    const meta = (await limiter.peek("127.0.0.1")).find(({ scope }) => scope === "meta");
    expect(meta?.used).toBe(3);
  });
});

describe("a request that a meta limit refuses", () => {
  it("names the meta limit, tells its wait, and shows that nothing is left", async () => {
    const { server } = await served({ metaLimits: "1 per minute" });
    await server.statuses(2, "/x");
    const { status, headers, body } = await server.get("/y", { accept: "application/json" });
    expect([status, headers["retry-after"]]).toEqual([NO, "60"]);
    expect(JSON.parse(body)).toMatchObject({ detail: "1 per 1 minute", retryAfter: 60 });
    expect(headers["x-ratelimit-remaining"] ?? "0").toBe("0");
  });

  it("on a route with a limit of its own does not claim that there is room", async () => {
    const { app, limiter } = limitedApp(express, { metaLimits: "1 per minute", defaultLimits: "5/minute" });
    app.get("/x", limiter.limit("0/minute"), ok);
    app.get("/y", ok);
    const server = await serve(app);
    await server.get("/x");
    const { status, headers } = await server.get("/y");
    expect(status).toBe(NO);
    expect(headers["x-ratelimit-remaining"] ?? "0").toBe("0");
  });

  it("is told by onMetaBreach and metaBreach, not by onBreach and breach", async () => {
    const seen: string[] = [];
    const { app, limiter } = limitedApp(express, {
      metaLimits: "1/minute",
      onBreach: () => void seen.push("onBreach"),
      onMetaBreach: (req, res, breach) => {
        seen.push(`onMetaBreach ${breach.isMeta} ${req.rateLimit?.breached ?? true}`);
        res.status(418).send(`wait ${breach.retryAfter}`);
      },
    });
    limiter.on("breach", () => seen.push("breach")).on("metaBreach", () => seen.push("metaBreach"));
    app.get("/x", limiter.limit("1/minute"), ok);
    const server = await serve(app);
    await server.statuses(2, "/x");
    expect(seen.splice(0)).toEqual(["breach", "onBreach"]);
    const { status, body } = await server.get("/x");
    expect([status, body]).toEqual([418, "wait 60"]);
    expect(seen).toEqual(["metaBreach", "onMetaBreach true true"]);
  });

  it("is an error with the meta limit's decision, where breaches are passed on", async () => {
    const { app, limiter } = limitedApp(express, { metaLimits: "1/minute", passBreachToNext: true });
    app.get("/x", limiter.limit("1/minute"), ok);
    app.use(((error, _req, res, _next) => {
      res.status(error.status).json([error.isMeta, error.message, error.retryAfter, error.decision.scope]);
    }) as express.ErrorRequestHandler);
    const server = await serve(app);
    await server.statuses(2, "/x");
    expect(JSON.parse((await server.get("/x")).body)).toEqual([true, "1 per 1 minute", 60, "meta"]);
  });
});

describe("metaLimits of a single limit", () => {
  /** `/x` with the limit, `/y` beside it. */
  async function single(limits = "1 per 10 seconds", perMethod = false) {
    const made = limitedApp(express);
    const { app, limiter } = made;
    app.all("/x", limiter.limit(limits, { metaLimits: "2 per minute", perMethod }), ok);
    app.get("/y", limiter.limit("9/minute"), ok);
    return { ...made, server: await serve(app) };
  }

  it("refuse where the limit applies, and nowhere else", async () => {
    const { server, clock } = await single();
    await expectTimeline(server, clock, [
      { at: 0, ask: "GET /x", status: OK },
      { at: 1, ask: "GET /x", status: NO, wait: 9 },
      { at: 2, ask: "GET /x", status: NO, wait: 59 },
      { at: 12, ask: "GET /x", status: NO, wait: 49 },
      { at: 13, ask: "GET /y", status: OK },
      { at: 61, ask: "GET /x", status: OK },
    ]);
  });

  it("are split by method with the limit", async () => {
    const { server, clock } = await single("1 per 10 seconds", true);
    await expectTimeline(server, clock, [
      { at: 0, ask: "GET /x", status: OK },
      { at: 1, ask: "GET /x", status: NO },
      { at: 2, ask: "GET /x", status: NO },
      { at: 12, ask: "GET /x", status: NO, wait: 49 },
      { at: 12, ask: "HEAD /x", status: NO, wait: 49 },
      { at: 13, ask: "POST /x", status: OK },
    ]);
  });

  it("are lifted with the limit by exemptWhen", async () => {
    const { app, limiter } = limitedApp(express);
    const exemptWhen = (req: express.Request) => req.headers["x-staff"] === "1";
    app.get("/x", limiter.limit("1/minute", { metaLimits: "1/hour", exemptWhen }), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, NO, NO]);
    expect((await server.get("/x", { "x-staff": "1" })).status).toBe(OK);
  });

  it("count a breach once, though the text has two limits and both refuse", async () => {
    const { server, clock } = await single("1 per 10 seconds; 1 per 11 seconds");
    await expectTimeline(server, clock, [
      { at: 0, ask: "GET /x", status: OK },
      { at: 1, ask: "GET /x", status: NO, wait: 10 },
      { at: 2, ask: "GET /x", status: NO, wait: 59 },
      { at: 30, ask: "GET /x", status: NO, wait: 31 },
    ]);
  });

  it("follow a shared limit to all its places", async () => {
    const { app, limiter } = limitedApp(express);
    const shared = limiter.sharedLimit("1/minute", { scope: "mail", metaLimits: "1/hour" });
    app.get("/a", shared, ok);
    app.get("/b", shared, ok);
    const server = await serve(app);
    expect((await server.get("/a")).status).toBe(OK);
    expect((await server.get("/b")).headers["retry-after"]).toBe("3600");
    expect((await server.get("/a")).headers["retry-after"]).toBe("3600");
  });

  it("are told by onMetaBreach", async () => {
    const seen: string[] = [];
    const { app, limiter } = limitedApp(express, { onMetaBreach: () => void seen.push("onMetaBreach") });
    const onBreach = () => void seen.push("onBreach");
    app.get("/x", limiter.limit("0/minute", { metaLimits: "1/hour", onBreach }), ok);
    const server = await serve(app);
    await server.statuses(2, "/x");
    expect(seen).toEqual(["onBreach", "onMetaBreach"]);
  });
});
