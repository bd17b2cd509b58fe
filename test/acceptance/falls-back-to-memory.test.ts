import express from "express";
import { type LimiterOptions, MemoryStorage } from "express-limits";
import { FaultyStorage, ManualClock } from "express-limits/testing";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { serve } from "../helpers/http.js";
import { limitedApp, ok, START } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

/** A storage that is lost when told, and routes of every kind. */
async function served(options: LimiterOptions) {
  const clock = new ManualClock(START);
  const storage = new FaultyStorage(new MemoryStorage({ clock }));
  const made = limitedApp(express, { storage, clock, ...options });
  const { app, limiter } = made;
  onTestFinished(() => limiter.close());
  app.get("/x", ok);
  app.get("/y", ok);
  app.get("/own", limiter.limit("3/minute"), ok);
  app.get("/free", limiter.exempt, ok);
  app.post(
    "/login",
    limiter.limit("2/minute", { deductWhen: (_req, res) => res.statusCode === 401 }),
    (req, res) => {
      res.sendStatus(req.query["ok"] === "1" ? 200 : 401);
    },
  );
  return { ...made, storage, server: await serve(app) };
}

describe("inMemoryFallbackEnabled", () => {
  it("counts the original limits in memory while the storage is lost", async () => {
    const { server, storage } = await served({
      inMemoryFallbackEnabled: true,
      defaultLimits: "2/minute",
      applicationLimits: "9/minute",
    });
    await server.statuses(1, "/x");
    storage.fail();
    // A count that begins anew: what the storage knew is lost with it.
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
    expect(await server.statuses(4, "/own")).toEqual([OK, OK, OK, NO]);
    expect(await server.statuses(9, "/free")).toEqual(Array(9).fill(OK));
    expect(await server.statuses(3, "/y")).toEqual([OK, OK, NO]);
    expect(await server.statuses(3, "/nothing")).toEqual([404, 404, NO]);
  });

  it("keeps strategies, meta limits and blocks", async () => {
    const clock = new ManualClock(START);
    const { app, limiter, storage, server } = await served({
      clock,
      inMemoryFallbackEnabled: true,
      metaLimits: "2/hour",
      strategy: "moving-window",
    });
    app.get("/blocked", limiter.limit("1/minute", { block: "5m" }), ok);
    storage.fail();
    expect(await server.statuses(1, "/blocked")).toEqual([OK]);
    const { headers } = await server.get("/blocked");
    expect(headers["retry-after"]).toBe("300");
    expect(await server.statuses(1, "/own")).toEqual([OK]);
    clock.advance(300_000);
    expect(await server.statuses(2, "/blocked")).toEqual([OK, NO]);
    expect(await server.statuses(1, "/own")).toEqual([NO]);
  });

  it("gives back to memory what memory has charged", async () => {
    const { server, storage } = await served({ inMemoryFallbackEnabled: true });
    storage.fail();
    const login = async (query: string) => (await server.send("POST", `/login${query}`)).status;
    for (let i = 0; i < 5; i++) expect(await login("?ok=1")).toBe(OK);
    expect([await login(""), await login(""), await login("")]).toEqual([401, 401, NO]);
    expect(storage.calls.refund).toBe(0);
  });

  it("goes back to the storage, and to its counts, when it is there again", async () => {
    const { server, storage, limiter } = await served({
      inMemoryFallbackEnabled: true,
      defaultLimits: "3/minute",
    });
    const told: string[] = [];
    limiter.on("storageError", () => told.push("lost")).on("storageRecovered", () => told.push("back"));
    await server.statuses(2, "/x");
    storage.fail();
    expect(await server.statuses(4, "/x")).toEqual([OK, OK, OK, NO]);
    storage.heal();
    await vi.waitFor(() => expect(told).toEqual(["lost", "back"]), { timeout: 5000 });
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("serves peek, clear and reset from memory meanwhile", async () => {
    const { server, storage, limiter } = await served({
      inMemoryFallbackEnabled: true,
      defaultLimits: "2/minute",
    });
    storage.fail();
    await server.statuses(4, "/x");
    expect((await limiter.peek("127.0.0.1")).map(({ used }) => used)).toEqual([2]);
    await limiter.clear("127.0.0.1");
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
  });

  it("is exact under concurrency", async () => {
    const { server, storage } = await served({ inMemoryFallbackEnabled: true, defaultLimits: "5/minute" });
    storage.fail();
    const answers = await Promise.all(Array.from({ length: 30 }, () => server.get("/x")));
    expect(answers.filter(({ status }) => status === OK)).toHaveLength(5);
  });
});

describe("inMemoryFallback", () => {
  const own = {
    inMemoryFallback: "1/minute",
    defaultLimits: "5/minute",
    applicationLimits: "0/hour",
  } as const;

  it("replaces all limits while the storage is lost: a counter for each route", async () => {
    const { server, storage } = await served(own);
    expect(await server.statuses(2, "/x")).toEqual([NO, NO]);
    storage.fail();
    for (const path of ["/x", "/y", "/own"]) expect(await server.statuses(3, path)).toEqual([OK, NO, NO]);
    expect(await server.statuses(3, "/nothing")).toEqual([404, NO, NO]);
  });

  it("leaves exempted routes alone", async () => {
    const { server, storage } = await served(own);
    storage.fail();
    expect(await server.statuses(5, "/free")).toEqual(Array(5).fill(OK));
  });

  it("shows its own limit in headers", async () => {
    const { server, storage } = await served(own);
    storage.fail();
    const { headers } = await server.get("/own");
    expect([headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]]).toEqual(["1", "0"]);
  });

  it("may be several, and counts each client by itself", async () => {
    const { server, storage } = await served({
      ...own,
      inMemoryFallback: ["2/minute", "3/hour"],
      keyFunc: (req) => req.get("x-user"),
    });
    storage.fail();
    expect(await server.statuses(3, "/x", { "x-user": "ann" })).toEqual([OK, OK, NO]);
    expect(await server.statuses(3, "/x", { "x-user": "bob" })).toEqual([OK, OK, NO]);
  });

  it("is over when the storage is back: the original limits apply", async () => {
    const { server, storage, limiter } = await served({ ...own, applicationLimits: undefined });
    const told: string[] = [];
    limiter.on("storageRecovered", () => told.push("back"));
    storage.fail();
    expect(await server.statuses(2, "/own")).toEqual([OK, NO]);
    storage.heal();
    await vi.waitFor(() => expect(told).toEqual(["back"]), { timeout: 5000 });
    expect(await server.statuses(4, "/own")).toEqual([OK, OK, OK, NO]);
  });

  it("wins over swallowErrors", async () => {
    const { server, storage } = await served({ ...own, swallowErrors: true });
    storage.fail();
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });
});
