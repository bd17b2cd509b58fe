import express, { type Request } from "express";
import { MemoryStorage } from "express-limits";
import { FaultyStorage } from "express-limits/testing";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { errorSink, limitedApp, ok } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

const everything = {
  defaultLimits: "1/minute",
  applicationLimits: "9/minute",
  metaLimits: "2/minute",
  denyList: ["192.0.2.1"],
} as const;

describe("requestFilter", () => {
  it.each([
    ["at once", (value: boolean) => value],
    ["later", (value: boolean) => Promise.resolve(value)],
  ])("skips a request, meta limits included, when it says so: %s", async (_when, answer) => {
    const { app, limiter } = limitedApp(express, everything);
    limiter.requestFilter((req) => answer(req.headers["x-team"] === "1"));
    app.get("/x", limiter.limit("1/minute"), ok);
    app.get("/y", ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, NO, NO]);
    expect((await server.get("/y")).status).toBe(NO);
    const free = await server.get("/x", { "x-team": "1" });
    expect([free.status, free.headers["x-ratelimit-limit"]]).toEqual([OK, undefined]);
    expect(await server.statuses(3, "/y", { "x-team": "1" })).toEqual([OK, OK, OK]);
  });

  it("skips when one of several says so, and asks no more then", async () => {
    const asked: string[] = [];
    const { app, limiter } = limitedApp(express, { defaultLimits: "1/minute" });
    for (const name of ["a", "b", "c"]) {
      limiter.requestFilter((req) => {
        asked.push(name);
        return req.query["skip"] === name;
      });
    }
    app.get("/x", ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x?skip=b")).toEqual([OK, OK]);
    expect(asked.splice(0)).toEqual(["a", "b", "a", "b"]);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect(asked).toEqual(["a", "b", "c", "a", "b", "c"]);
  });

  it("is asked once in a request, however many limits it meets", async () => {
    let asked = 0;
    const { app, limiter } = limitedApp(express, { defaultLimits: "9/minute" });
    limiter.requestFilter(() => {
      asked++;
      return false;
    });
    app.use(limiter.limit("9/minute"));
    app.get("/x", limiter.limit("9/minute"), (_req, _res, next) => next(), limiter.limit("8/minute"), ok);
    const server = await serve(app);
    await server.get("/x");
    expect(asked).toBe(1);
  });

  it("that throws or rejects is an error of the request, and charges nothing", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1/minute" });
    limiter.requestFilter((req) => {
      if (req.query["fail"] === "throw") throw new Error("thrown");
      if (req.query["fail"] === "reject") return Promise.reject(new Error("rejected"));
      return false;
    });
    const { errors, handler } = errorSink();
    app.get("/x", ok);
    app.use(handler);
    const server = await serve(app);
    expect(await server.statuses(1, "/x?fail=throw")).toEqual([500]);
    expect(await server.statuses(1, "/x?fail=reject")).toEqual([500]);
    expect(errors).toEqual([new Error("thrown"), new Error("rejected")]);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it.each([undefined, null, "GET", {}])("refuses %j", (filter) => {
    const { limiter } = limitedApp(express);
    expect(() => limiter.requestFilter(filter as never)).toThrow(/requestFilter/);
  });
});

describe("enabled", () => {
  it("false at run time is off for everything, at once, and true is on again", async () => {
    const { app, limiter } = limitedApp(express, everything);
    app.set("trust proxy", true);
    app.get("/x", limiter.limit("1/minute"), ok);
    app.get("/y", ok);
    app.get("/checked", async (req, res) => {
      await limiter.check(req, res);
      res.send(String(req.rateLimit?.policy));
    });
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, NO, NO]);
    limiter.enabled = false;
    expect(limiter.enabled).toBe(false);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, OK]);
    expect(await server.statuses(3, "/y")).toEqual([OK, OK, OK]);
    expect((await server.get("/x", { "x-forwarded-for": "192.0.2.1" })).status).toBe(OK);
    const checked = await server.get("/checked");
    expect([checked.body, checked.headers["x-ratelimit-limit"]]).toEqual(["undefined", undefined]);
    limiter.enabled = true;
    // What was spent before is still spent; what passed meanwhile cost nothing.
    expect((await server.get("/y")).status).toBe(NO);
    expect((await server.get("/x", { "x-forwarded-for": "192.0.2.1" })).status).toBe(403);
  });

  it("false asks neither storage nor functions", async () => {
    const storage = new FaultyStorage(new MemoryStorage());
    const asked: string[] = [];
    const { app, limiter } = limitedApp(express, {
      storage,
      enabled: false,
      defaultLimits: () => {
        asked.push("limit");
        return "1/minute";
      },
      keyFunc: () => {
        asked.push("key");
        return "x";
      },
    });
    limiter.requestFilter(() => {
      asked.push("filter");
      return false;
    });
    app.get("/x", ok);
    const server = await serve(app);
    storage.fail();
    expect(await server.statuses(2, "/x")).toEqual([OK, OK]);
    expect([asked, storage.calls.hit]).toEqual([[], 0]);
  });

  it("false in the constructor can be switched on later", async () => {
    const { app, limiter } = limitedApp(express, { enabled: false, defaultLimits: "1/minute" });
    app.get("/x", ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, OK]);
    limiter.enabled = true;
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("switched off in the middle of a request leaves no charge behind that depends on the answer", async () => {
    const { app, limiter } = limitedApp(express);
    const deductWhen = () => false;
    app.get("/x", limiter.limit("1/minute", { deductWhen }), (_req: Request, res) => {
      limiter.enabled = false;
      res.send("x");
    });
    const server = await serve(app);
    await server.get("/x");
    limiter.enabled = true;
    expect((await server.get("/x")).status).toBe(OK);
  });
});
