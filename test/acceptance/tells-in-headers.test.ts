import type { IncomingHttpHeaders } from "node:http";
import express from "express";
import { Limiter, type LimiterOptions } from "express-limits";
import { ManualClock } from "express-limits/testing";
import { parseDictionary, parseList } from "structured-headers";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { limitedApp, ok, START } from "../helpers/limited-app.js";

const OK = 200;
const NO = 429;
const NOW = START / 1000;

/** The classic headers as numbers: limit, remaining, reset from the start, Retry-After. */
function classic(headers: IncomingHttpHeaders) {
  const number = (name: string) => (headers[name] === undefined ? undefined : Number(headers[name]));
  const reset = number("x-ratelimit-reset");
  return [
    number("x-ratelimit-limit"),
    number("x-ratelimit-remaining"),
    reset === undefined ? undefined : reset - NOW,
    number("retry-after"),
  ];
}

function appWith(limits: string | readonly string[], options: LimiterOptions = {}) {
  const made = limitedApp(express, { applicationLimits: limits, ...options });
  made.app.get("/x", ok);
  return made;
}

/** The policies and what is left of each, read by a parser of structured fields. */
function ietf(headers: IncomingHttpHeaders) {
  const read = (name: string) =>
    parseList(String(headers[name])).map(([name, parameters]) => ({
      name,
      ...Object.fromEntries(parameters as Map<string, unknown>),
    }));
  return { policies: read("ratelimit-policy"), left: read("ratelimit") };
}

describe("the classic headers", () => {
  it("tell amount, remaining and the end of the window, which stays where it is", async () => {
    const { app, clock } = appWith("3 per minute");
    const server = await serve(app);
    const seen: unknown[] = [];
    for (const wait of [0, 400, 20_000, 39_599, 1, 0]) {
      clock.advance(wait);
      const answer = await server.get("/x");
      seen.push([answer.status, ...classic(answer.headers)]);
    }
    expect(seen).toEqual([
      [OK, 3, 2, 60, undefined],
      [OK, 3, 1, 60, undefined],
      [OK, 3, 0, 60, undefined],
      [NO, 3, 0, 60, 1],
      [OK, 3, 2, 120, undefined],
      [OK, 3, 1, 120, undefined],
    ]);
  });

  it("round times up", async () => {
    const { app, clock } = appWith("1 per minute");
    clock.advance(1);
    const server = await serve(app);
    expect(classic((await server.get("/x")).headers)).toEqual([1, 0, 61, undefined]);
    clock.advance(500);
    expect(classic((await server.get("/x")).headers)).toEqual([1, 0, 61, 60]);
  });

  it("are exact numbers of digits", async () => {
    const { app } = appWith("3 per minute");
    const server = await serve(app);
    const { headers } = await server.get("/x");
    expect(headers["x-ratelimit-limit"]).toBe("3");
    expect(headers["x-ratelimit-remaining"]).toBe("2");
    expect(headers["x-ratelimit-reset"]).toBe(String(NOW + 60));
  });

  it.each([
    ["500 ms", "2 per 500ms", 500, 1],
    ["30 days", "2 per month", 30 * 86_400_000, 30 * 86_400],
    ["a year", "2 per year", 365 * 86_400_000, 365 * 86_400],
  ])("know a window of %s", async (_name, text, windowMs, seconds) => {
    const { app, clock } = appWith(text);
    const server = await serve(app);
    expect(classic((await server.get("/x")).headers)).toEqual([2, 1, seconds, undefined]);
    await server.get("/x");
    expect(classic((await server.get("/x")).headers)).toEqual([2, 0, seconds, seconds]);
    clock.advance(windowMs - 1);
    expect((await server.get("/x")).status).toBe(NO);
    clock.advance(1);
    expect((await server.get("/x")).status).toBe(OK);
  });

  it("of 0 per second tell no wait, since none helps", async () => {
    const { app } = appWith("0/second");
    const server = await serve(app);
    const { status, headers } = await server.get("/x");
    expect(status).toBe(NO);
    expect(classic(headers)).toEqual([0, 0, 0, undefined]);
  });

  it.each(["fixed-window", "moving-window", "sliding-window-counter", "token-bucket"] as const)(
    "tell times that are true: waiting succeeds, one second less does not (%s)",
    async (strategy) => {
      const { app, clock } = appWith("3 per minute", { strategy });
      const server = await serve(app);
      for (const pause of [0, 7_300, 7_300]) {
        clock.advance(pause);
        expect((await server.get("/x")).status).toBe(OK);
      }
      for (let round = 0; round < 4; round++) {
        const refused = await server.get("/x");
        expect(refused.status).toBe(NO);
        const wait = Number(refused.headers["retry-after"]);
        if (wait > 1) {
          clock.advance((wait - 1) * 1000);
          expect([round, (await server.get("/x")).status]).toEqual([round, NO]);
          clock.advance(1000);
        } else clock.advance(wait * 1000);
        expect([round, (await server.get("/x")).status]).toEqual([round, OK]);
        while ((await server.get("/x")).status === OK);
      }
    },
  );

  it("tell the wait for a cost", async () => {
    const { app, limiter, clock } = limitedApp(express, { strategy: "token-bucket" });
    app.get("/x", limiter.limit("10 per 10 seconds", { cost: 4 }), ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, OK]);
    const refused = await server.get("/x");
    // Two are left, two more come in two seconds; the next one comes in one.
    expect(classic(refused.headers)).toEqual([10, 2, 1, 2]);
    clock.advance(1999);
    expect((await server.get("/x")).status).toBe(NO);
    clock.advance(1);
    expect((await server.get("/x")).status).toBe(OK);
  });

  it("show burst as the amount of a bucket", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", limiter.limit("10 per minute", { strategy: "token-bucket", burst: 3 }), ok);
    const server = await serve(app);
    expect(classic((await server.get("/x")).headers)).toEqual([3, 2, 6, undefined]);
  });

  it("cannot tell a wait for a cost that can never fit", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", limiter.limit("3 per minute", { cost: () => 4 }), ok);
    const server = await serve(app);
    const { status, headers } = await server.get("/x");
    expect([status, ...classic(headers)]).toEqual([NO, 3, 3, 0, undefined]);
  });
});

describe("the limit that is shown", () => {
  const cases: [string, string | string[], number, number][] = [
    ["has the smallest window", "100 per hour; 5 per minute; 50 per day", 0, 5],
    ["has the smallest window though another has less left", "2 per hour; 5 per minute", 0, 5],
    ["has the least left of one window", "9 per minute; 7 per minute; 8 per 60 seconds", 0, 7],
    ["of a breach has the longest wait", "1 per minute; 1 per hour; 1 per second", 1, 1],
  ];
  it.each(cases)("%s", async (_rule, limits, before, shown) => {
    const { app } = appWith(limits);
    const server = await serve(app);
    await server.statuses(before, "/x");
    const { headers, body, status } = await server.get("/x");
    expect(headers["x-ratelimit-limit"]).toBe(String(shown));
    if (status === NO)
      expect([headers["retry-after"], body.match(/<p>(.*)</)?.[1]]).toEqual(["3600", "1 per 1 hour"]);
  });

  it("is chosen among those of both phases", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "9 per minute" });
    app.get("/hour", limiter.limit("5 per hour"), ok);
    app.get("/second", limiter.limit("5 per second"), ok);
    const server = await serve(app);
    expect((await server.get("/hour")).headers["x-ratelimit-limit"]).toBe("9");
    expect((await server.get("/second")).headers["x-ratelimit-limit"]).toBe("5");
  });

  // Wanted; the headers of the refusal show the state before it was given back today.
  it("tells what is left after a refusal has given back, as all others do", async () => {
    const { app, limiter } = limitedApp(express, {
      applicationLimits: "9 per hour",
      standardHeaders: "ietf",
    });
    app.get("/x", limiter.limit("1 per minute"), ok);
    const server = await serve(app);
    await server.get("/x");
    const { left } = ietf((await server.get("/x")).headers);
    expect(left).toMatchObject([{ r: 8 }, { r: 0 }]);
  });
});

describe("headers can be", () => {
  it("off: a refusal carries Retry-After all the same", async () => {
    const { app } = appWith("1 per minute", { headersEnabled: false });
    const server = await serve(app);
    expect(classic((await server.get("/x")).headers)).toEqual([undefined, undefined, undefined, undefined]);
    expect(classic((await server.get("/x")).headers)).toEqual([undefined, undefined, undefined, 60]);
  });

  it("renamed, or dropped one by one", async () => {
    const { app } = appWith("1 per minute", {
      headerNames: { limit: "X-My-Limit", remaining: false, retryAfter: "X-Wait" },
    });
    const server = await serve(app);
    await server.get("/x");
    const { headers } = await server.get("/x");
    expect(headers).toMatchObject({
      "x-my-limit": "1",
      "x-ratelimit-reset": String(NOW + 60),
      "x-wait": "60",
    });
    for (const name of ["x-ratelimit-limit", "x-ratelimit-remaining", "retry-after"]) {
      expect(headers).not.toHaveProperty(name);
    }
  });

  it("told the wait as a date", async () => {
    const { app, clock } = appWith("1 per minute", { retryAfter: "http-date" });
    clock.advance(300);
    const server = await serve(app);
    await server.get("/x");
    const { headers } = await server.get("/x");
    expect(headers["retry-after"]).toBe(new Date(START + 61_000).toUTCString());
    clock.set(Date.parse(String(headers["retry-after"])));
    expect((await server.get("/x")).status).toBe(OK);
  });

  it("those of draft 6", async () => {
    const { app, clock } = appWith("3 per minute; 10 per hour", {
      standardHeaders: "draft-6",
      headersEnabled: false,
    });
    const server = await serve(app);
    await server.get("/x");
    clock.advance(400);
    const { headers } = await server.get("/x");
    expect(headers).toMatchObject({
      "ratelimit-policy": "3;w=60",
      "ratelimit-limit": "3",
      "ratelimit-remaining": "1",
      "ratelimit-reset": "60",
    });
    expect(headers).not.toHaveProperty("x-ratelimit-limit");
  });

  it("those of draft 7, well-formed", async () => {
    const { app, clock } = appWith("3 per minute", { standardHeaders: "draft-7" });
    const server = await serve(app);
    await server.get("/x");
    clock.advance(20_100);
    const { headers } = await server.get("/x");
    const [policy] = parseList(String(headers["ratelimit-policy"]));
    expect([policy?.[0], policy?.[1].get("w")]).toEqual([3, 60]);
    const left = parseDictionary(String(headers["ratelimit"]));
    expect(["limit", "remaining", "reset"].map((name) => left.get(name)?.[0])).toEqual([3, 1, 40]);
    expect(headers["x-ratelimit-limit"]).toBe("3");
  });

  it("those of the present draft: all limits, in order", async () => {
    const { app, limiter, clock } = limitedApp(express, {
      applicationLimits: "100 per day",
      standardHeaders: "ietf",
    });
    app.get("/x", limiter.limit("3 per minute; 10 per 90 minutes"), ok);
    const server = await serve(app);
    await server.get("/x");
    clock.advance(20_100);
    expect(ietf((await server.get("/x")).headers)).toEqual({
      policies: [
        { name: "100-per-day", q: 100, w: 86_400 },
        { name: "3-per-minute", q: 3, w: 60 },
        { name: "10-per-90-minute", q: 10, w: 5400 },
      ],
      left: [
        { name: "100-per-day", r: 98, t: 86_380 },
        { name: "3-per-minute", r: 1, t: 40 },
        { name: "10-per-90-minute", r: 8, t: 5380 },
      ],
    });
  });

  it.each(['a "quoted" name', "back\\slash", '"', "\\", "a;b=c,d", "semi;colon", " ", "a, b"])(
    "the present draft's with a policy named %s",
    async (name) => {
      const { app, limiter } = limitedApp(express, { standardHeaders: "ietf" });
      app.get("/x", limiter.limit("3 per minute", { name }), ok);
      const server = await serve(app);
      const { policies, left } = ietf((await server.get("/x")).headers);
      expect(policies).toEqual([{ name, q: 3, w: 60 }]);
      expect(left).toEqual([{ name, r: 2, t: 60 }]);
    },
  );

  it.each(["ü", "a\nb", "a\r\nSet-Cookie: x", "", "\u0000", "😀"])(
    "not those of a policy named %j",
    (name) => {
      expect(() => new Limiter().limit("3/minute", { name })).toThrow(/name/);
    },
  );

  it("the present draft's, with a name for each policy, also when they would be alike", async () => {
    const { app, limiter } = limitedApp(express, {
      applicationLimits: ["3 per minute", "3 per 60 seconds"],
      standardHeaders: "ietf",
    });
    app.get("/x", limiter.limit("3/minute"), limiter.limit("4/minute", { name: "3-per-minute-2" }), ok);
    const server = await serve(app);
    const { policies, left } = ietf((await server.get("/x")).headers);
    const names = policies.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(left.map(({ name }) => name)).toEqual(names);
  });

  it("the present draft's, of routes that share their last limit and no other, in turns", async () => {
    const { app, limiter } = limitedApp(express, { standardHeaders: "ietf" });
    const shared = limiter.sharedLimit("9/hour", { scope: "both" });
    app.get("/a", limiter.limit("3/minute"), shared, ok);
    app.get("/b", limiter.limit("4/minute", { name: "b" }), limiter.limit("5/minute"), shared, ok);
    const server = await serve(app);
    for (const used of [1, 2, 3]) {
      expect(ietf((await server.get("/a")).headers)).toEqual({
        policies: [
          { name: "3-per-minute", q: 3, w: 60 },
          { name: "9-per-hour", q: 9, w: 3600 },
        ],
        left: [
          { name: "3-per-minute", r: 3 - used, t: 60 },
          { name: "9-per-hour", r: 9 - 2 * used + 1, t: 3600 },
        ],
      });
      expect(ietf((await server.get("/b")).headers)).toEqual({
        policies: [
          { name: "b", q: 4, w: 60 },
          { name: "5-per-minute", q: 5, w: 60 },
          { name: "9-per-hour", q: 9, w: 3600 },
        ],
        left: [
          { name: "b", r: 4 - used, t: 60 },
          { name: "5-per-minute", r: 5 - used, t: 60 },
          { name: "9-per-hour", r: 9 - 2 * used, t: 3600 },
        ],
      });
    }
  });

  it("the present draft's, naming the same policies in the refusal's body", async () => {
    const { app, limiter } = limitedApp(express, {
      applicationLimits: "5 per hour",
      standardHeaders: "ietf",
    });
    app.get("/x", limiter.limit("5 per hour", { cost: 3 }), ok);
    const server = await serve(app);
    await server.get("/x");
    const refused = await server.get("/x", { accept: "application/json" });
    const [, own] = ietf(refused.headers).policies;
    expect(JSON.parse(refused.body)["violated-policies"]).toEqual([own?.name]);
  });

  it.each([
    ["2 per 500ms", 1, 1],
    ["2 per 1500ms", 2, 2],
    ["2 per year", 31_536_000, 31_536_000],
    ["0 per second", 1, 0],
  ])("the present draft's for %s", async (text, w, t) => {
    const { app } = appWith(text, { standardHeaders: "ietf" });
    const server = await serve(app);
    const { policies, left } = ietf((await server.get("/x")).headers);
    expect(policies).toMatchObject([{ w }]);
    expect(left).toMatchObject([{ t }]);
  });

  it.each(["draft-6", "draft-7", "ietf"] as const)(
    "those of %s for the largest amount",
    async (standardHeaders) => {
      const { app } = appWith("9007199254740991 per year", { standardHeaders });
      const server = await serve(app);
      const { status, headers } = await server.get("/x");
      expect(status).toBe(OK);
      expect(parseList(String(headers["ratelimit-policy"]))).toHaveLength(1);
    },
  );
});

describe("an answer that has begun", () => {
  it("gets no headers and no second answer", async () => {
    const { app, limiter } = limitedApp(express);
    const seen: unknown[] = [];
    app.get(
      "/x",
      (_req, res, next) => {
        res.send("early");
        next();
      },
      limiter.limit("1 per minute"),
      (req) => seen.push(req.rateLimit?.remaining),
    );
    const server = await serve(app);
    for (let i = 0; i < 3; i++) {
      const { status, body, headers } = await server.get("/x");
      expect([status, body, headers["x-ratelimit-limit"]]).toEqual([OK, "early", undefined]);
    }
    expect(seen).toEqual([0]);
  });
});

describe("with the system's clock", () => {
  it("the reset does not flicker within a window", async () => {
    const app = express();
    app.use(new Limiter({ applicationLimits: "100000 per minute" }).middleware());
    app.get("/x", ok);
    const server = await serve(app);
    const resets = new Set<unknown>();
    for (let i = 0; i < 100; i++) resets.add((await server.get("/x")).headers["x-ratelimit-reset"]);
    expect(resets.size).toBe(1);
  });

  it("a clock set back an hour locks nobody out for longer than the window", async () => {
    const clock = new ManualClock(START);
    const app = express();
    app.use(new Limiter({ clock, applicationLimits: "1 per minute" }).middleware());
    app.get("/x", ok);
    const server = await serve(app);
    await server.get("/x");
    clock.advance(30_000);
    expect((await server.get("/x")).headers["retry-after"]).toBe("30");
    clock.set(START - 3_600_000);
    const refused = await server.get("/x");
    expect([refused.status, refused.headers["retry-after"]]).toEqual([NO, "30"]);
    clock.advance(30_000);
    expect((await server.get("/x")).status).toBe(OK);
  });
});
