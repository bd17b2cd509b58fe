import { createReadStream, readFile } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import express, { type RequestHandler } from "express";
import {
  type BreachHandler,
  type LimiterOptions,
  type LimitOptions,
  RateLimitExceeded,
} from "express-limits";
import { describe, expect, it } from "vitest";
import { expresses } from "../helpers/expresses.js";
import { serve } from "../helpers/http.js";
import { errorSink, limitedApp, ok } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

expectNoUnhandledRejections();

const OK = 200;
const NO = 429;

const page = (text: string) =>
  '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n' +
  "<title>429 Too Many Requests</title>\n<h1>Too Many Requests</h1>\n" +
  `<p>${text}</p>\n`;

/** A server whose `/x` is refused from the second request on. */
async function refusing(
  options: LimiterOptions = {},
  limitOptions: LimitOptions = {},
  makeApp: typeof express = express,
) {
  const { app, limiter } = limitedApp(makeApp, options);
  const { errors, handler } = errorSink();
  let runs = 0;
  app.all("/x", limiter.limit("1 per hour", limitOptions), (req, res) => {
    runs++;
    ok(req, res);
  });
  app.use(handler);
  const server = await serve(app);
  expect((await server.get("/x")).status).toBe(OK);
  return { server, errors, limiter, runs: () => runs };
}

describe.each(expresses)("the body of a refusal on $name", ({ express: makeApp }) => {
  const problem = {
    type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
    title: "Too Many Requests",
    status: 429,
    detail: "1 per 1 hour",
    "violated-policies": ["1-per-hour"],
    retryAfter: 3600,
  };
  const html = page("1 per 1 hour");

  it.each([
    [undefined, "text/html", html],
    ["*/*", "text/html", html],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html", html],
    ["application/problem+json", "application/problem+json", problem],
    ["application/json", "application/json", problem],
    ["application/json, text/plain, */*", "application/json", problem],
    ["application/*", "application/problem+json", problem],
    ["text/html;q=0.5, application/json", "application/json", problem],
    ["text/plain", "text/plain", "1 per 1 hour"],
    ["image/png", "text/plain", "1 per 1 hour"],
    ["", "text/html", html],
    ["nonsense", "text/plain", "1 per 1 hour"],
  ])("for Accept: %s is %s", async (accept, type, expected) => {
    const { server } = await refusing({}, {}, makeApp);
    const { status, headers, body } = await server.get("/x", accept === undefined ? {} : { accept });
    expect(status).toBe(NO);
    expect(String(headers["content-type"]).split(";")[0]).toBe(type);
    expect(type.endsWith("json") ? JSON.parse(body) : body).toEqual(expected);
    expect(headers["cache-control"]).toBe("no-store");
    expect(headers["retry-after"]).toBe("3600");
  });

  it("is empty for HEAD, with the same headers", async () => {
    const { server } = await refusing({}, {}, makeApp);
    const head = await server.send("HEAD", "/x");
    const { headers } = await server.get("/x");
    expect([head.status, head.body, head.headers["retry-after"]]).toEqual([NO, "", "3600"]);
    expect(head.headers["content-type"]).toBe(headers["content-type"]);
    expect(head.headers["content-length"]).toBe(headers["content-length"]);
  });

  it("tells no wait where none helps", async () => {
    const { app, limiter } = limitedApp(makeApp);
    app.get("/x", limiter.limit("0/second"), ok);
    const server = await serve(app);
    const { body, headers } = await server.get("/x", { accept: "application/json" });
    expect(JSON.parse(body)).not.toHaveProperty("retryAfter");
    expect(headers).not.toHaveProperty("retry-after");
  });
});

describe("errorMessage", () => {
  const messages: [string, LimiterOptions["errorMessage"], string, string][] = [
    ["a text", "slow <down> & 'wait'", "text/html", page("slow &lt;down&gt; &amp; &#39;wait&#39;")],
    ["an object", { error: "slow", "<b>": 1 }, "application/json", '{"error":"slow","<b>":1}'],
    [
      "a function that gives text",
      (_q, _s, breach) => `<i>${breach.message}`,
      "text/html",
      page("&lt;i&gt;1 per 1 hour"),
    ],
    ["a function that gives an object", () => ({ a: 1 }), "application/json", '{"a":1}'],
    ["an async function", async () => "later", "text/html", page("later")],
    ["a function that gives undefined", () => undefined, "text/html", page("1 per 1 hour")],
    ["a function that asks the request", (req) => `no ${req.path}`, "text/html", page("no /x")],
  ];
  describe.each(["limiter", "limit"])("of a %s", (where) => {
    it.each(messages)("may be %s", async (_kind, errorMessage, type, expected) => {
      const option = { errorMessage } as { errorMessage: string };
      const { server } = await refusing(where === "limiter" ? option : {}, where === "limit" ? option : {});
      const { status, headers, body } = await server.get("/x");
      expect([status, String(headers["content-type"]).split(";")[0], body]).toEqual([NO, type, expected]);
      expect(headers["retry-after"]).toBe("3600");
    });
  });

  it("of a limit wins over the limiter's", async () => {
    const { server } = await refusing({ errorMessage: "outer" }, { errorMessage: "inner" });
    expect((await server.get("/x")).body).toBe(page("inner"));
  });

  it("of the limit with the longest wait is told, when several refuse", async () => {
    const { app, limiter } = limitedApp(express);
    app.get(
      "/x",
      limiter.limit("1/minute", { errorMessage: "minute" }),
      limiter.limit("1/hour", { errorMessage: "hour" }),
      limiter.limit("1/second", { errorMessage: "second" }),
      ok,
    );
    const server = await serve(app);
    await server.get("/x");
    expect((await server.get("/x")).body).toBe(page("hour"));
  });

  it("stands in the problem document too", async () => {
    const { server } = await refusing({ errorMessage: "slow <down>" });
    const { body } = await server.get("/x", { accept: "application/problem+json" });
    expect(JSON.parse(body)).toMatchObject({ detail: "slow <down>", status: 429 });
  });

  it.each<[string, () => never | Promise<never>]>([
    [
      "throws",
      () => {
        throw new Error("no words");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no words"))],
  ])("that %s is an error of the request", async (_how, errorMessage) => {
    const { server, errors, runs } = await refusing({ errorMessage });
    expect((await server.get("/x")).status).toBe(500);
    expect(errors.map((error) => (error as Error).message)).toEqual(["no words"]);
    expect(runs()).toBe(1);
  });
});

describe.each(expresses)("onBreach that answers after it has returned, on $name", ({ express: makeApp }) => {
  const page = fileURLToPath(new URL("../helpers/slow-down.txt", import.meta.url));
  const answers: [string, BreachHandler, number][] = [
    ["renders a template", (_req, res) => res.status(NO).render("slow-down"), NO],
    [
      "renders a template and answers with it",
      (_req, res) => res.render("slow-down", (_error: Error, text: string) => res.status(420).send(text)),
      420,
    ],
    ["sends a file", (_req, res) => res.status(NO).sendFile(page), NO],
    ["offers a file", (_req, res) => res.status(NO).download(page), NO],
    ["pipes a stream", (_req, res) => createReadStream(page).pipe(res.status(NO)), NO],
  ];
  it.each(answers)("%s: that is the answer, and the only one", async (_how, onBreach, status) => {
    const { app, limiter } = limitedApp(makeApp, { onMetaBreach: onBreach });
    app.engine("txt", (path, _options, done) => readFile(path, "utf8", done));
    app.set("view engine", "txt");
    app.set("views", dirname(page));
    app.get("/x", limiter.limit("1 per hour", { onBreach }), ok);
    app.get("/meta", limiter.limit("0 per hour", { metaLimits: "1 per hour" }), ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, status]);
    const refused = await server.get("/x");
    expect([refused.body, refused.headers["retry-after"]]).toEqual(["Slow down.\n", "3600"]);
    expect(await server.statuses(1, "/meta")).toEqual([NO]);
    expect((await server.get("/meta")).body).toBe("Slow down.\n");
  });

  it("leaves an answer that fails to the error handlers", async () => {
    const { server, errors } = await refusing(
      { onBreach: (_req, res) => res.sendFile("/no/such/file") },
      {},
      makeApp,
    );
    expect((await server.get("/x")).status).toBe(404);
    expect(errors).toEqual([expect.objectContaining({ status: 404 })]);
  });
});

describe("onBreach", () => {
  const answers: [string, BreachHandler, string][] = [
    ["answers at once", (_req, res) => res.status(503).send("mine"), "503 mine"],
    [
      "answers later",
      async (_req, res) => {
        await new Promise((resolve) => setImmediate(resolve));
        res.status(418).send("mine");
      },
      "418 mine",
    ],
    ["answers nothing", () => {}, `429 ${page("1 per 1 hour")}`],
    ["answers nothing, later", async () => {}, `429 ${page("1 per 1 hour")}`],
    ["sets a header", (_req, res) => res.setHeader("x-mine", "1"), `429 ${page("1 per 1 hour")}`],
  ];
  it.each(answers)("%s", async (_how, onBreach, expected) => {
    const { server, runs } = await refusing({ onBreach });
    const { status, body, headers } = await server.get("/x");
    expect(`${status} ${body}`).toBe(expected);
    expect(headers["retry-after"]).toBe("3600");
    expect(runs()).toBe(1);
  });

  it.each<[string, BreachHandler]>([
    [
      "throws",
      () => {
        throw new Error("mine");
      },
    ],
    ["rejects", () => Promise.reject(new Error("mine"))],
  ])("that %s is an error of the request", async (_how, onBreach) => {
    const { server, errors, runs } = await refusing({ onBreach });
    expect((await server.get("/x")).status).toBe(500);
    expect(errors.map((error) => (error as Error).message)).toEqual(["mine"]);
    expect(runs()).toBe(1);
  });

  it("that answers and then throws does not answer twice", async () => {
    const { server } = await refusing({
      onBreach: (_req, res) => {
        res.send("mine");
        throw new Error("too late");
      },
    });
    expect((await server.get("/x")).body).toBe("mine");
    expect((await server.get("/x")).body).toBe("mine");
  });

  it("is called once, with all that refused, and the limit's own wins", async () => {
    const calls: [string, string[], number][] = [];
    const note =
      (who: string): BreachHandler =>
      (_req, _res, breach) =>
        calls.push([who, breach.limits.map(({ limit }) => String(limit)), breach.retryAfter]);
    const { app, limiter } = limitedApp(express, { onBreach: note("limiter") });
    app.get("/own", limiter.limit("1/minute; 1/hour", { onBreach: note("limit") }), ok);
    app.get("/plain", limiter.limit("1/minute"), limiter.limit("1/day", { onBreach: note("day") }), ok);
    const server = await serve(app);
    await server.statuses(2, "/own");
    await server.statuses(2, "/plain");
    expect(calls).toEqual([
      ["limit", ["1 per 1 minute", "1 per 1 hour"], 3600],
      ["day", ["1 per 1 minute", "1 per 1 day"], 86_400],
    ]);
  });

  it("gets the breach that check() throws and error handlers see", async () => {
    const breaches: RateLimitExceeded[] = [];
    const { server, errors } = await refusing({
      passBreachToNext: true,
      onBreach: (_req, _res, breach) => breaches.push(breach),
    });
    await server.get("/x");
    expect(errors).toEqual(breaches);
    expect(breaches[0]).toBeInstanceOf(RateLimitExceeded);
  });
});

describe("passBreachToNext", () => {
  it("hands the breach to error handlers, with status and wait", async () => {
    const { server, errors, runs } = await refusing({ passBreachToNext: true, errorMessage: "slow" });
    const { status, body, headers } = await server.get("/x");
    expect([status, body, headers["retry-after"]]).toEqual([NO, "error handled", "3600"]);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(Error);
    expect(errors[0]).toMatchObject({
      name: "RateLimitExceeded",
      code: "RATE_LIMIT_EXCEEDED",
      status: 429,
      statusCode: 429,
      message: "slow",
      retryAfter: 3600,
      retryAfterMs: 3_600_000,
      decision: { allowed: false, remaining: 0, key: "127.0.0.1", scope: "ALL /x" },
    });
    expect(runs()).toBe(1);
  });

  it.each(expresses)("lets $name answer 429 where nothing handles errors", async ({ express: makeApp }) => {
    const { app, limiter } = limitedApp(makeApp, { passBreachToNext: true });
    app.get("/x", limiter.limit("1 per hour"), ok);
    const server = await serve(app);
    await server.get("/x");
    const { status, headers } = await server.get("/x");
    expect([status, headers["retry-after"]]).toEqual([NO, "3600"]);
  });

  it("does not when onBreach has answered", async () => {
    const { server, errors } = await refusing({
      passBreachToNext: true,
      onBreach: (_req, res) => res.status(418).send("mine"),
    });
    expect((await server.get("/x")).status).toBe(418);
    expect(errors).toEqual([]);
  });
});

describe.each(expresses)("handlers behind a limit on $name", ({ name, express: makeApp }) => {
  it("keep their errors, and run once", async () => {
    const { app, limiter } = limitedApp(makeApp, { applicationLimits: "9/minute" });
    const { errors, handler } = errorSink();
    const boom = new Error("boom");
    let runs = 0;
    const failing: RequestHandler = () => {
      runs++;
      throw boom;
    };
    const failingLater: RequestHandler = async (_req, _res, next) => {
      runs++;
      await Promise.resolve();
      if (name === "express 4") next(boom);
      else throw boom;
    };
    app.get("/sync", limiter.limit("9/minute"), failing);
    app.get("/async", limiter.limit("9/minute", { keyFunc: async () => "ann" }), failingLater);
    app.get("/both", limiter.limit("9/minute", { keyFunc: async () => "ann" }), failing);
    app.use(handler);
    const server = await serve(app);
    for (const path of ["/sync", "/async", "/both"]) expect((await server.get(path)).status).toBe(500);
    expect(errors).toEqual([boom, boom, boom]);
    expect(runs).toBe(3);
  });
});

describe("what handlers are told", () => {
  it("stands in req.rateLimit, in the names that Express users know", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", limiter.limit("3 per minute"), (req, res) => {
      res.json({ info: req.rateLimit, isDate: req.rateLimit?.resetTime instanceof Date });
    });
    app.get("/plain", (req, res) => {
      res.json([req.rateLimit ?? null, limiter.currentLimit(req) ?? null, limiter.currentLimits(req)]);
    });
    const server = await serve(app);
    await server.get("/x");
    expect(JSON.parse((await server.get("/x")).body)).toEqual({
      isDate: true,
      info: {
        limit: 3,
        used: 2,
        remaining: 1,
        resetTime: "2023-11-14T22:14:20.000Z",
        retryAfterMs: 0,
        breached: false,
        key: "127.0.0.1",
        policy: "3 per 1 minute",
      },
    });
    expect(JSON.parse((await server.get("/plain")).body)).toEqual([null, null, []]);
  });

  it("says in error handlers that a limit was breached", async () => {
    const { app, limiter } = limitedApp(express, {
      passBreachToNext: true,
      applicationLimits: "9 per minute",
    });
    app.get("/x", limiter.limit("1 per hour"), ok);
    app.use(((_error, req, res, _next) => {
      res.json([req.rateLimit, limiter.currentLimit(req)?.breached]);
    }) as express.ErrorRequestHandler);
    const server = await serve(app);
    await server.get("/x");
    expect(JSON.parse((await server.get("/x")).body)).toEqual([
      expect.objectContaining({
        breached: true,
        policy: "1 per 1 hour",
        retryAfterMs: 3_600_000,
        remaining: 0,
      }),
      true,
    ]);
  });

  it("stands in currentLimits, in order, by the shapes of decisions", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "9 per hour" });
    app.get("/x/:id", limiter.limit("3 per minute"), (req, res) => {
      res.json([limiter.currentLimits(req), limiter.currentLimit(req)]);
    });
    const server = await serve(app);
    const [all, shown] = JSON.parse((await server.get("/x/1")).body);
    expect(all).toMatchObject([
      { key: "127.0.0.1", scope: "application", allowed: true, used: 1, remaining: 8, breached: false },
      { scope: "GET /x/:id", used: 1, remaining: 2, resetAt: 1_700_000_060_000, retryAfterMs: 0 },
    ]);
    expect(shown).toEqual(all[1]);
  });
});

describe("check()", () => {
  it("decides inside a handler and throws the breach, with headers", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "2 per hour" }, false);
    app.get("/x", async (req, res) => {
      try {
        await limiter.check(req, res);
        res.send("ok");
      } catch (error) {
        res.status(429).send(error instanceof RateLimitExceeded ? `mine: ${error.message}` : "what?");
      }
    });
    const server = await serve(app);
    expect((await server.get("/x")).headers["x-ratelimit-remaining"]).toBe("1");
    await server.get("/x");
    const { body, headers } = await server.get("/x");
    expect([body, headers["retry-after"]]).toEqual(["mine: 2 per 1 hour", "3600"]);
  });

  it("charges nothing twice", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "3 per hour", defaultLimits: "3/day" });
    app.get("/x", async (req, res) => {
      await limiter.check(req, res);
      await limiter.check(req, res);
      res.send("ok");
    });
    const server = await serve(app);
    expect(await server.statuses(4, "/x")).toEqual([OK, OK, OK, NO]);
  });
});
