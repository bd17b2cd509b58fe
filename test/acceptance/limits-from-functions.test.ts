import express, { type Request } from "express";
import { type LimitFunction, LimitSyntaxError, RateLimit } from "express-limits";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { errorSink, limitedApp, ok } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

/** `/x` with a limit that a function gives, in front of a default of 1. What goes wrong is kept. */
async function served(limits: LimitFunction, defaultLimits = "1/minute") {
  const logged: unknown[][] = [];
  const events: unknown[] = [];
  const logger = { warn: () => {}, error: (...details: unknown[]) => void logged.push(details) };
  const made = limitedApp(express, { defaultLimits, logger });
  const { app, limiter } = made;
  limiter.on("limitError", ({ req, error }) => events.push([req.url, error]));
  const { errors, handler } = errorSink();
  app.all("/x", limiter.limit(limits), ok);
  app.use(handler);
  return { ...made, logged, events, errors, server: await serve(app) };
}

const plan = (req: Request): string => (req.headers["x-plan"] === "gold" ? "3/minute" : "2/minute");

describe("a limit that a function gives", () => {
  it.each<[string, LimitFunction]>([
    ["as text", plan],
    ["as a promise", async (req) => plan(req)],
    ["as a RateLimit", (req) => new RateLimit(req.headers["x-plan"] === "gold" ? 3 : 2, 1, "minute")],
    ["as a list", (req) => [plan(req), new RateLimit(99, 1, "hour")]],
    ["as several in one text", (req) => `${plan(req)}; 99 per hour`],
  ])("is each plan's own, and starts a counter of its own: %s", async (_how, limits) => {
    const { server } = await served(limits);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
    expect(await server.statuses(4, "/x", { "x-plan": "gold" })).toEqual([OK, OK, OK, NO]);
    expect((await server.get("/x")).status).toBe(NO);
  });

  it("knows what was set before it: by authentication, or earlier limits", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1/minute" });
    const authenticate = (req: Request, _res: unknown, next: () => void): void => {
      Object.assign(req, { plan: req.headers["x-plan"] });
      next();
    };
    app.get(
      "/x",
      authenticate,
      limiter.limit((req) => ((req as { plan?: string }).plan === "gold" ? "3/minute" : "")),
      ok,
    );
    const server = await serve(app);
    expect(await server.statuses(4, "/x", { "x-plan": "gold" })).toEqual([OK, OK, OK, NO]);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("is told who is counted and what", async () => {
    const told: unknown[] = [];
    const { app, limiter } = limitedApp(express, { keyFunc: (req) => req.headers["x-user"] as string });
    const limits: LimitFunction = (_req, _res, context) => {
      told.push(context);
      return context.key === "ann" ? "3/minute" : "1/minute";
    };
    const router = express.Router();
    router.post("/items/:id", limiter.limit(limits), ok);
    router.get("/shared", limiter.sharedLimit(limits, { scope: "mail" }), ok);
    app.use("/api", router);
    app.use("/mount", limiter.limit(limits), ok);
    const server = await serve(app);
    await server.send("POST", "/api/items/7", { headers: { "x-user": "ann" } });
    await server.get("/api/shared", { "x-user": "bob" });
    await server.get("/mount/deep", { "x-user": "cy" });
    expect(told).toEqual([
      { key: "ann", scope: "POST /api/items/:id" },
      { key: "bob", scope: "mail" },
      { key: "cy", scope: "/mount" },
    ]);
    const statuses = await server.statuses(2, "/api/shared", { "x-user": "ann" });
    expect(statuses).toEqual([OK, OK]);
  });

  it.each<[string, ReturnType<LimitFunction>]>([
    ['""', ""],
    ["null", null],
    ["undefined", undefined],
    ["[]", []],
    ["a promise of nothing", Promise.resolve(undefined)],
  ])("of %s leaves the default limits in force", async (_what, nothing) => {
    const { server, logged, events } = await served(() => nothing);
    const first = await server.get("/x");
    expect([first.status, first.headers["x-ratelimit-limit"]]).toEqual([OK, "1"]);
    expect((await server.get("/x")).status).toBe(NO);
    expect([logged, events]).toEqual([[], []]);
  });

  it.each<[string, ReturnType<LimitFunction>]>([
    ["text that cannot be read", "10 per hor"],
    ["a promise of it", Promise.resolve("10 per hor")],
    ["a list with it", ["9/minute", "10 per hor"]],
    ["blanks", "   "],
    ["a list with nothing in it", [""]],
  ])("of %s is reported, and the default limits apply", async (_what, malformed) => {
    const { server, logged, events, errors } = await served(() => malformed);
    const first = await server.get("/x");
    expect([first.status, first.headers["x-ratelimit-limit"]]).toEqual([OK, "1"]);
    expect((await server.get("/x")).status).toBe(NO);
    expect(logged).toHaveLength(2);
    expect(logged[0]).toEqual([expect.any(String), expect.any(LimitSyntaxError)]);
    expect(events).toEqual(Array(2).fill(["/x", expect.any(LimitSyntaxError)]));
    expect(errors).toEqual([]);
  });

  it.each([5, {}, true, ["1/minute", 5], [null], [[]], new Date(0)])(
    "of %j, which is no limit at all, never leaves the route unlimited",
    async (wrong) => {
      const { server } = await served(() => wrong as never);
      const statuses = await server.statuses(2, "/x");
      expect(statuses[1]).not.toBe(OK);
    },
  );

  it("that throws or rejects is an error of the request, and charges nothing", async () => {
    const { server, errors, events } = await served((req) => {
      if (req.query["fail"] === "throw") throw new Error("thrown");
      if (req.query["fail"] === "reject") return Promise.reject(new Error("rejected"));
      return "1/minute";
    });
    expect((await server.get("/x?fail=throw")).status).toBe(500);
    expect((await server.get("/x?fail=reject")).status).toBe(500);
    expect(errors).toEqual([new Error("thrown"), new Error("rejected")]);
    expect(events).toEqual([]);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("is asked once in a request", async () => {
    let asked = 0;
    const { server } = await served(() => {
      asked++;
      return "5/minute; 9/hour";
    });
    await server.get("/x");
    expect(asked).toBe(1);
  });

  it("does not fill the memory when it gives a new limit each time", async () => {
    const { app, limiter } = limitedApp(express);
    let amount = 0;
    app.get(
      "/x",
      limiter.limit(() => `${1 + (amount++ % 5)}00/minute`),
      ok,
    );
    const server = await serve(app);
    await server.statuses(12, "/x");
    expect(await limiter.peek("127.0.0.1")).toHaveLength(5);
  });

  it("of 0 refuses everything", async () => {
    const { server } = await served(() => "0/minute");
    expect(await server.statuses(2, "/x")).toEqual([NO, NO]);
  });

  it("may be a default or an application limit", async () => {
    const { app } = limitedApp(express, {
      defaultLimits: (req) => (req.headers["x-plan"] === "gold" ? "2/minute" : "1/minute"),
      applicationLimits: async (req) => (req.headers["x-plan"] === "gold" ? "" : "3/minute"),
    });
    app.get("/x", ok);
    app.get("/y", ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect(await server.statuses(2, "/y")).toEqual([OK, NO]);
    expect((await server.get("/nothing")).status).toBe(404);
    expect((await server.get("/nothing-else", { "x-plan": "gold" })).status).toBe(404);
    expect(await server.statuses(3, "/x", { "x-plan": "gold" })).toEqual([OK, OK, NO]);
  });
});

describe("requestIdentifier", () => {
  it("names the route in keys: here each path counts by itself", async () => {
    const seen: unknown[] = [];
    const { app } = limitedApp(express, {
      defaultLimits: "1/minute",
      requestIdentifier: (req, pattern) => {
        seen.push(pattern);
        return req.path;
      },
    });
    app.get("/users/:id", ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/users/1")).toEqual([OK, NO]);
    expect(await server.statuses(2, "/users/2")).toEqual([OK, NO]);
    expect(await server.statuses(2, "/nothing")).toEqual([404, NO]);
    expect(seen).toEqual([...Array(4).fill("/users/:id"), undefined, undefined]);
  });

  it("joins routes that it gives one name", async () => {
    const { app, limiter } = limitedApp(express, {
      defaultLimits: "2/minute",
      requestIdentifier: () => "all",
    });
    app.get("/x", ok);
    app.get("/y", ok);
    app.get("/a", limiter.limit("1/minute"), ok);
    app.get("/b", limiter.limit("1/minute"), ok);
    const server = await serve(app);
    expect((await server.get("/x")).status).toBe(OK);
    expect((await server.get("/y")).status).toBe(OK);
    expect((await server.get("/x")).status).toBe(NO);
    expect((await server.get("/a")).status).toBe(OK);
    expect((await server.get("/b")).status).toBe(NO);
  });

  it("changes nothing else: exemptions and own limits are found as before", async () => {
    const { app, limiter } = limitedApp(express, {
      defaultLimits: "1/minute",
      requestIdentifier: (req) => req.path,
    });
    app.get("/free/:id", limiter.exempt, ok);
    app.get("/own/:id", limiter.limit("2/minute"), ok);
    const router = express.Router();
    router.get("/:id", ok);
    app.use("/router", limiter.exempt(router));
    const server = await serve(app);
    expect(await server.statuses(3, "/free/1")).toEqual([OK, OK, OK]);
    expect(await server.statuses(3, "/own/1")).toEqual([OK, OK, NO]);
    expect(await server.statuses(3, "/router/1")).toEqual([OK, OK, OK]);
  });

  it("that throws is an error of the request", async () => {
    const { app } = limitedApp(express, {
      defaultLimits: "1/minute",
      requestIdentifier: () => {
        throw new Error("nameless");
      },
    });
    const { errors, handler } = errorSink();
    app.get("/x", ok);
    app.use(handler);
    const server = await serve(app);
    expect((await server.get("/x")).status).toBe(500);
    expect(errors).toEqual([new Error("nameless")]);
  });
});
