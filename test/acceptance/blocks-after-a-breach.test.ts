import express from "express";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { limitedApp, ok } from "../helpers/limited-app.js";
import { expectTimeline } from "../helpers/timeline.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

describe('block: "5m"', () => {
  async function blocking(limits = "2 per minute", perMethod = false) {
    const made = limitedApp(express);
    const { app, limiter } = made;
    app.all("/x", limiter.limit(limits, { block: "5m", perMethod }), ok);
    app.get("/y", limiter.limit("9/minute"), ok);
    return { ...made, server: await serve(app) };
  }

  it("tells the true wait at once, is not prolonged, and ends on time", async () => {
    const { server, clock } = await blocking();
    await expectTimeline(server, clock, [
      { at: 0, ask: "GET /x", status: OK },
      { at: 1, ask: "GET /x", status: OK },
      { at: 2, ask: "GET /x", status: NO, wait: 300 },
      { at: 3, ask: "GET /x", status: NO, wait: 299 },
      { at: 4, ask: "GET /y", status: OK },
      // The minute is over, the block is not.
      { at: 62, ask: "GET /x", status: NO, wait: 240 },
      { at: 301.999, ask: "GET /x", status: NO, wait: 1 },
      { at: 302, ask: "GET /x", status: OK },
      { at: 302, ask: "GET /x", status: OK },
      { at: 302, ask: "GET /x", status: NO, wait: 300 },
    ]);
  });

  it("charges nothing while it lasts", async () => {
    const { server, limiter } = await blocking();
    await server.statuses(20, "/x");
    const used = (await limiter.peek("127.0.0.1")).map((decision) => decision.used);
    expect(used).toEqual([2]);
  });

  it("tells the limit's wait where that is longer", async () => {
    const { server, clock } = await blocking("1 per hour");
    await expectTimeline(server, clock, [
      { at: 0, ask: "GET /x", status: OK },
      { at: 1, ask: "GET /x", status: NO, wait: 3599 },
      { at: 2, ask: "GET /x", status: NO },
      { at: 302, ask: "GET /x", status: NO, wait: 3298 },
    ]);
  });

  it("follows each limit of a text", async () => {
    const { server, clock } = await blocking("2 per minute; 3 per hour");
    await expectTimeline(server, clock, [
      { at: 0, ask: "GET /x", status: OK },
      { at: 0, ask: "GET /x", status: OK },
      { at: 0, ask: "GET /x", status: NO, wait: 300 },
      { at: 300, ask: "GET /x", status: OK },
      { at: 300, ask: "GET /x", status: NO, wait: 3300 },
    ]);
  });

  it("blocks the method that broke the limit, with perMethod", async () => {
    const { server } = await blocking("1 per minute", true);
    await server.statuses(2, "/x");
    expect((await server.get("/x")).headers["retry-after"]).toBe("300");
    expect((await server.send("POST", "/x")).status).toBe(OK);
  });

  it("blocks the client that broke the limit, and no other", async () => {
    const { app, limiter } = limitedApp(express, {
      keyFunc: (req) => req.headers["x-user"] as string | undefined,
    });
    app.get("/x", limiter.limit("1/minute", { block: 300_000 }), ok);
    const server = await serve(app);
    await server.statuses(2, "/x", { "x-user": "ann" });
    expect((await server.get("/x", { "x-user": "ann" })).headers["retry-after"]).toBe("300");
    expect((await server.get("/x", { "x-user": "bob" })).status).toBe(OK);
  });

  it("is not caused by the breach of a neighbour", async () => {
    const { app, limiter, clock } = limitedApp(express);
    app.get("/x", limiter.limit("5/minute", { block: "5m" }), limiter.limit("1/second"), ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    clock.advance(1000);
    expect((await server.get("/x")).status).toBe(OK);
  });

  it("refuses by name of the limit that it follows", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", limiter.limit("1 per minute", { block: "5m" }), ok);
    const server = await serve(app);
    await server.statuses(2, "/x");
    const { body, headers } = await server.get("/x", { accept: "application/json" });
    expect(JSON.parse(body)).toMatchObject({ detail: "1 per 1 minute", retryAfter: 300 });
    expect(headers["x-ratelimit-remaining"]).toBe("0");
  });

  it("shows in req.rateLimit and in the headers when the limit itself has room again", async () => {
    const { app, limiter, clock } = limitedApp(express, {
      onMetaBreach: (req, res) => void res.status(NO).json(req.rateLimit),
    });
    app.get("/x", limiter.limit("1 per minute", { block: "5m" }), ok);
    const server = await serve(app);
    await server.statuses(2, "/x");
    clock.advance(100_000);
    const { body, headers } = await server.get("/x");
    expect(JSON.parse(body)).toMatchObject({ breached: true, remaining: 0, retryAfterMs: 200_000 });
    expect(headers["x-ratelimit-remaining"]).toBe("0");
    expect(headers["retry-after"]).toBe("200");
  });

  it("is told as a metaBreach, the breach that causes it as a breach", async () => {
    const { app, limiter } = limitedApp(express);
    const seen: string[] = [];
    limiter.on("breach", ({ error }) => seen.push(`breach, wait ${error.retryAfter}`));
    limiter.on("metaBreach", ({ error }) => seen.push(`metaBreach, wait ${error.retryAfter}`));
    app.get("/x", limiter.limit("1 per minute", { block: "5m" }), ok);
    const server = await serve(app);
    await server.statuses(3, "/x");
    expect(seen).toEqual(["breach, wait 300", "metaBreach, wait 300"]);
  });

  it.each([{}, { scope: "ALL /x" }])("is forgotten by clear, %j", async (filter) => {
    const { server, limiter } = await blocking();
    await server.statuses(3, "/x");
    await limiter.clear("127.0.0.1", { scope: "ALL /elsewhere" });
    expect((await server.get("/x")).status).toBe(NO);
    await limiter.clear("127.0.0.1", filter);
    expect((await server.get("/x")).status).toBe(OK);
  });

  it("works for a limit that a function gives", async () => {
    const { app, limiter, clock } = limitedApp(express);
    app.get(
      "/x",
      limiter.limit((req) => String(req.query["limit"]), { block: "5m" }),
      ok,
    );
    const server = await serve(app);
    await server.statuses(2, "/x?limit=1/minute");
    clock.advance(60_000);
    expect((await server.get("/x?limit=1/minute")).headers["retry-after"]).toBe("240");
    // Another limit is another counter, and its block another block.
    expect((await server.get("/x?limit=2/minute")).status).toBe(OK);
  });

  it("follows only failures, with deductWhen", async () => {
    const { app, limiter, clock } = limitedApp(express);
    app.get(
      "/login",
      limiter.limit("1/minute", { block: "5m", deductWhen: (_req, res) => res.statusCode === 401 }),
      (req, res) => {
        res.status(req.query["ok"] === "1" ? 200 : 401).send();
      },
    );
    const server = await serve(app);
    expect(await server.statuses(3, "/login?ok=1")).toEqual([OK, OK, OK]);
    expect(await server.statuses(2, "/login")).toEqual([401, NO]);
    clock.advance(299_999);
    expect((await server.get("/login?ok=1")).status).toBe(NO);
    clock.advance(1);
    expect((await server.get("/login?ok=1")).status).toBe(OK);
  });

  it.each(["0s", "5", "never", -1, Number.NaN, Number.POSITIVE_INFINITY])("refuses %j", (block) => {
    const { limiter } = limitedApp(express);
    expect(() => limiter.limit("1/minute", { block })).toThrow(/block/);
  });
});
