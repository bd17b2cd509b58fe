import express from "express";
import { Limiter, type LimiterOptions, type LimitFunction } from "express-limits";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { errorSink, limitedApp, ok } from "../helpers/limited-app.js";
import { RecordingStorage } from "../helpers/recording-storage.js";

const OK = 200;
const NO = 429;

/** What is left of each limit of a request, by its text. */
function tellLeft(limiter: Limiter) {
  return (req: never, res: { json(body: unknown): void }): void => {
    const left = limiter.currentLimits(req).map(({ limit, remaining }) => [String(limit), remaining]);
    res.json(Object.fromEntries(left));
  };
}

describe("a refused request leaves every counter as it was", () => {
  it.each(["10/hour; 1/minute", "1/minute; 10/hour", ["10/hour", "1/minute"]])(
    "of one phase, in any order: %j",
    async (text) => {
      const { app, limiter, clock } = limitedApp(express);
      app.get("/x", limiter.limit(text as string), tellLeft(limiter) as never);
      const server = await serve(app);
      await server.statuses(6, "/x");
      clock.advance(60_000);
      expect(JSON.parse((await server.get("/x")).body)).toMatchObject({ "10 per 1 hour": 8 });
    },
  );

  it("of both phases: the route's refusal gives back what the global phase took", async () => {
    const { app, limiter } = limitedApp(express, {
      applicationLimits: "5 per hour",
      defaultLimits: "4 per hour",
    });
    app.get("/x", limiter.limit("1 per minute", { overrideDefaults: false }), ok);
    app.get("/tell", tellLeft(limiter) as never);
    const server = await serve(app);
    expect(await server.statuses(5, "/x")).toEqual([OK, NO, NO, NO, NO]);
    expect(JSON.parse((await server.get("/tell")).body)).toMatchObject({
      "5 per 1 hour": 3,
      "4 per 1 hour": 3,
    });
  });

  it("in the global phase: a default limit's refusal costs no application limit", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "5/hour", defaultLimits: "1/hour" });
    app.get("/x", ok);
    app.get("/tell", limiter.exempt({ application: false }), tellLeft(limiter) as never);
    const server = await serve(app);
    await server.statuses(5, "/x");
    expect(JSON.parse((await server.get("/tell")).body)).toEqual({ "5 per 1 hour": 3 });
  });

  it.each(["fixed-window", "moving-window", "sliding-window-counter", "token-bucket"] as const)(
    "with %s, and waits are not lengthened",
    async (strategy) => {
      const { app, limiter, clock } = limitedApp(express, { strategy, applicationLimits: "9 per hour" });
      app.get("/x", limiter.limit("2 per minute"), ok);
      const server = await serve(app);
      await server.statuses(2, "/x");
      const first = await server.get("/x");
      const waits = [Number(first.headers["retry-after"])];
      for (let i = 0; i < 3; i++) {
        clock.advance(1000);
        waits.push(Number((await server.get("/x")).headers["retry-after"]));
      }
      const [wait = 0] = waits;
      expect(waits).toEqual([wait, wait - 1, wait - 2, wait - 3]);
      clock.advance((wait - 3) * 1000 - 1000);
      expect((await server.get("/x")).status).toBe(NO);
      clock.advance(1000);
      expect((await server.get("/x")).status).toBe(OK);
    },
  );

  it("and one trip to the storage decides a phase", async () => {
    const storage = new RecordingStorage();
    const { app, limiter } = limitedApp(express, {
      storage,
      applicationLimits: ["5/hour", "9/day"],
      defaultLimits: "4/hour",
    });
    app.get("/plain", ok);
    app.get("/own", limiter.limit("5/minute"), limiter.limit("6/minute; 7/day"), ok);
    const server = await serve(app);
    await server.get("/plain");
    expect(storage.trips.splice(0)).toEqual([3]);
    await server.get("/own");
    expect(storage.trips).toEqual([2, 3]);
  });

  it("admits exactly as many as there is room for, however many come at once", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "50/hour" });
    app.get("/x", limiter.limit("7/minute"), ok);
    const server = await serve(app);
    const answers = await Promise.all(Array.from({ length: 60 }, () => server.get("/x")));
    expect(answers.filter(({ status }) => status === OK)).toHaveLength(7);
    expect((await limiter.test("50/hour", "other")).remaining).toBe(50);
  });
});

describe("failOnFirstBreach: false", () => {
  it("charges each limit on its own and reports all breaches", async () => {
    const breaches: string[][] = [];
    const { app, limiter, clock } = limitedApp(express, {
      failOnFirstBreach: false,
      onBreach: (_req, _res, breach) => breaches.push(breach.limits.map(({ limit }) => String(limit))),
    });
    app.get("/x", limiter.limit("1/minute; 2/hour; 10/day"), tellLeft(limiter) as never);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, NO, NO]);
    expect(breaches).toEqual([["1 per 1 minute"], ["1 per 1 minute", "2 per 1 hour"]]);
    clock.advance(3_600_000);
    // The day has seen three requests, and this one.
    expect(JSON.parse((await server.get("/x")).body)).toMatchObject({ "10 per 1 day": 6 });
  });

  it("keeps what the global phase took when the route refuses", async () => {
    const { app, limiter } = limitedApp(express, { failOnFirstBreach: false, applicationLimits: "3/hour" });
    app.get("/x", limiter.limit("1/minute"), ok);
    app.get("/y", ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, NO, NO]);
    expect((await server.get("/y")).status).toBe(NO);
  });
});

describe("two limiters on one app", () => {
  const two = (first: LimiterOptions, second: LimiterOptions) => {
    const { app, clock, limiter } = limitedApp(express, { applicationLimits: "9/hour", ...first });
    const other = new Limiter({ clock, applicationLimits: "5/minute", ...second });
    app.use(other.middleware());
    return { app, clock, limiter, other };
  };

  it.each([
    ["9/hour", "5/minute", "5"],
    ["5/minute", "9/hour", "5"],
    ["3/day", "5/second", "3"],
  ])("show the one with the least left, of %s and %s", async (first, second, limit) => {
    const { app } = two({ applicationLimits: first }, { applicationLimits: second });
    app.get("/x", ok);
    const server = await serve(app);
    expect((await server.get("/x")).headers["x-ratelimit-limit"]).toBe(limit);
  });

  it("show the longest wait when one refuses", async () => {
    const { app } = two({ applicationLimits: "2/hour" }, { applicationLimits: "1/day" });
    app.get("/x", ok);
    const server = await serve(app);
    await server.get("/x");
    const refused = await server.get("/x");
    expect([refused.status, refused.headers["x-ratelimit-limit"], refused.headers["retry-after"]]).toEqual([
      NO,
      "1",
      "86400",
    ]);
  });

  it("write no header twice, and list all their policies", async () => {
    const { app } = two({ standardHeaders: "ietf" }, { standardHeaders: "ietf" });
    app.get("/x", ok);
    const server = await serve(app);
    const { headers } = await server.get("/x");
    expect(headers["x-ratelimit-limit"]).toBe("5");
    expect(String(headers["ratelimit-policy"]).split(", ").sort()).toEqual([
      '"5-per-minute";q=5;w=60',
      '"9-per-hour";q=9;w=3600',
    ]);
  });

  // Wanted; the second one's policies are missing today.
  it("list all their policies when the second has more left than the first", async () => {
    const { app } = two(
      { standardHeaders: "ietf", applicationLimits: "5/minute" },
      { standardHeaders: "ietf", applicationLimits: "9/hour" },
    );
    app.get("/x", ok);
    const server = await serve(app);
    const { headers } = await server.get("/x");
    expect(String(headers["ratelimit-policy"]).split(", ").sort()).toEqual([
      '"5-per-minute";q=5;w=60',
      '"9-per-hour";q=9;w=3600',
    ]);
  });

  it("count the same route on their own", async () => {
    const { app, limiter, other } = two({}, {});
    app.get("/x", limiter.limit("3/minute"), other.limit("2/minute"), (req, res) => {
      res.json([limiter.currentLimits(req).length, other.currentLimits(req).length]);
    });
    const server = await serve(app);
    expect((await server.get("/x")).body).toBe("[2,2]");
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });
});

describe("a limit that is a function of the request", () => {
  const none: [string, unknown][] = [
    ["undefined", undefined],
    ["null", null],
    ['""', ""],
    ["[]", []],
  ];
  it.each(none)("gives %s: the default limits come back", async (_text, value) => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "2/minute" });
    app.get("/sync", limiter.limit((() => value) as LimitFunction), ok);
    app.get("/async", limiter.limit((async () => value) as LimitFunction), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/sync")).toEqual([OK, OK, NO]);
    expect(await server.statuses(3, "/async")).toEqual([OK, OK, NO]);
  });

  const wrong: [string, unknown][] = [
    ["malformed text", "10 per hor"],
    ["a list with malformed text", ["1/minute", "x"]],
    ["blanks", "  "],
    ["NaN", Number.NaN],
    ["a number", 5],
    ["an object", { amount: 5 }],
    ["a list with undefined", [undefined]],
    ["true", true],
  ];
  it.each(wrong)("gives %s: it is reported and the default limits apply", async (_text, value) => {
    const logged: unknown[] = [];
    const told: unknown[] = [];
    const { app, limiter } = limitedApp(express, {
      defaultLimits: "2/minute",
      logger: { warn: () => {}, error: (...line) => logged.push(line) },
    });
    limiter.on("limitError", ({ error }) => told.push(error));
    app.get("/x", limiter.limit((() => value) as LimitFunction), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
    expect(told.length).toBeGreaterThan(0);
    expect(logged.length).toBeGreaterThan(0);
  });

  it("starts another counter when it gives another limit", async () => {
    const { app, limiter } = limitedApp(express);
    app.get(
      "/x",
      limiter.limit((req) => (req.query["plan"] === "gold" ? "2/minute" : "1/minute")),
      ok,
    );
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect(await server.statuses(3, "/x?plan=gold")).toEqual([OK, OK, NO]);
    expect((await server.get("/x")).status).toBe(NO);
  });

  it("is told the key and the place", async () => {
    const contexts: unknown[] = [];
    const { app, limiter } = limitedApp(express);
    app.get(
      "/x/:id",
      limiter.limit((_req, _res, context) => {
        contexts.push({ ...context });
        return "5/minute";
      }),
      ok,
    );
    const server = await serve(app);
    await server.get("/x/1");
    expect(contexts).toEqual([{ key: "127.0.0.1", scope: "GET /x/:id" }]);
  });

  it.each([
    ["throws", () => Promise.reject(new Error("no plan"))],
    [
      "throws at once",
      () => {
        throw new Error("no plan");
      },
    ],
  ])("%s: the error goes to the error handlers unchanged", async (_how, fail) => {
    const { app, limiter } = limitedApp(express);
    const { errors, handler } = errorSink();
    app.get("/x", limiter.limit(fail as LimitFunction), ok);
    app.use(handler);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([500, 500]);
    expect(errors.map((error) => (error as Error).message)).toEqual(["no plan", "no plan"]);
  });
});
