import express, { type Express, type Request } from "express";
import type { LimitOptions } from "express-limits";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { errorSink, limitedApp, ok, START } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

/** `/x` for all methods with a limit of its own; the defaults are so low that one sees when they come back. */
async function served(limits: string, options: LimitOptions, more?: (app: Express) => void) {
  const made = limitedApp(express, { defaultLimits: "1 per hour" });
  const { app, limiter } = made;
  const { errors, handler } = errorSink();
  app.all("/x", limiter.limit(limits, options), ok);
  more?.(app);
  app.use(handler);
  return { ...made, errors, server: await serve(app) };
}

describe("methods", () => {
  it("limits those, and leaves the others to the default limits", async () => {
    const { server } = await served("3/minute", { methods: ["POST"] });
    for (let i = 0; i < 3; i++) expect((await server.send("POST", "/x")).status).toBe(OK);
    expect((await server.send("POST", "/x")).status).toBe(NO);
    const first = await server.get("/x");
    expect([first.status, first.headers["x-ratelimit-limit"]]).toEqual([OK, "1"]);
    expect((await server.get("/x")).status).toBe(NO);
  });

  it("may be written in any case", async () => {
    const { server } = await served("2/minute", { methods: ["post", "Put"] });
    expect((await server.send("POST", "/x")).headers["x-ratelimit-limit"]).toBe("2");
    expect((await server.send("PUT", "/x")).headers["x-ratelimit-remaining"]).toBe("0");
    expect((await server.send("POST", "/x")).status).toBe(NO);
  });

  it("counts HEAD as GET", async () => {
    const { server } = await served("2/minute", { methods: ["GET"] });
    expect((await server.send("HEAD", "/x")).status).toBe(OK);
    expect((await server.get("/x")).status).toBe(OK);
    expect((await server.send("HEAD", "/x")).status).toBe(NO);
  });

  it("leaves a method to the other limit that stands there", async () => {
    const made = limitedApp(express, { defaultLimits: "1 per hour" });
    const { app, limiter } = made;
    app.all(
      "/x",
      limiter.limit("2/minute", { methods: ["GET"] }),
      limiter.limit("3/minute", { methods: ["POST"] }),
      ok,
    );
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
    for (let i = 0; i < 3; i++) expect((await server.send("POST", "/x")).status).toBe(OK);
    expect((await server.send("POST", "/x")).status).toBe(NO);
    expect((await server.send("PUT", "/x")).headers["x-ratelimit-limit"]).toBe("1");
  });

  it("brings no defaults back where they are exempted", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1 per hour" });
    const router = express.Router();
    router.all("/x", limiter.limit("1/minute", { methods: ["POST"] }), ok);
    app.use(limiter.exempt(router));
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, OK]);
    expect((await server.send("POST", "/x")).status).toBe(OK);
    expect((await server.send("POST", "/x")).status).toBe(NO);
  });
});

describe("perMethod", () => {
  it("gives each method a counter, HEAD that of GET", async () => {
    const { server } = await served("1/minute", { perMethod: true });
    expect((await server.get("/x")).status).toBe(OK);
    expect((await server.send("HEAD", "/x")).status).toBe(NO);
    expect((await server.send("POST", "/x")).status).toBe(OK);
    expect((await server.send("POST", "/x")).status).toBe(NO);
    expect((await server.send("PUT", "/x")).status).toBe(OK);
  });

  it("splits a shared limit too", async () => {
    const { app, limiter } = limitedApp(express);
    const shared = limiter.sharedLimit("1/minute", { scope: "mail", perMethod: true });
    app.all("/a", shared, ok);
    app.all("/b", shared, ok);
    const server = await serve(app);
    expect((await server.get("/a")).status).toBe(OK);
    expect((await server.get("/b")).status).toBe(NO);
    expect((await server.send("POST", "/b")).status).toBe(OK);
  });
});

describe("scope", () => {
  it("as a text makes a counter of its own for the same limit", async () => {
    const { app, limiter } = limitedApp(express);
    app.get(
      "/x",
      limiter.limit("1/minute", { scope: "a", exemptWhen: (req) => req.query["a"] !== "1" }),
      limiter.limit("1/minute", { scope: "b", exemptWhen: (req) => req.query["b"] !== "1" }),
      (req, res) => {
        res.json(limiter.currentLimits(req).map(({ scope }) => scope));
      },
    );
    const server = await serve(app);
    expect(JSON.parse((await server.get("/x?a=1")).body)).toEqual(["GET /x a"]);
    expect((await server.get("/x?a=1")).status).toBe(NO);
    expect((await server.get("/x?a=1&b=1")).status).toBe(NO);
    expect(JSON.parse((await server.get("/x?b=1")).body)).toEqual(["GET /x b"]);
  });

  it.each([
    ["at once", (tenant: string) => tenant],
    ["later", (tenant: string) => Promise.resolve(tenant)],
  ])("as a function splits the counter by what it says: %s", async (_when, answer) => {
    const { server } = await served("1/minute", {
      scope: (req) => answer(String(req.query["tenant"] ?? "")),
    });
    expect(await server.statuses(2, "/x?tenant=a")).toEqual([OK, NO]);
    expect(await server.statuses(2, "/x?tenant=b")).toEqual([OK, NO]);
    // No scope, no split.
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect((await server.get("/x?tenant=a")).status).toBe(NO);
  });

  it("keeps scopes apart that would look alike in a key", async () => {
    const { server } = await served("1/minute", { scope: (req) => String(req.query["s"]) });
    const scopes = [
      "a",
      "a#scope=a",
      "a}",
      "a:b",
      "a%23b",
      "a b",
      "A",
      "GET /x",
      "ALL /x",
      "ä",
      "a".repeat(500),
    ];
    for (const scope of scopes) {
      const path = `/x?s=${encodeURIComponent(scope)}`;
      expect([scope, ...(await server.statuses(2, path))]).toEqual([scope, OK, NO]);
    }
    // The unsplit counter is none of them.
    expect(await server.statuses(2, "/x?s=")).toEqual([OK, NO]);
  });

  it("of a shared limit may be asked of the request", async () => {
    const { app, limiter } = limitedApp(express);
    const perTenant = limiter.sharedLimit("1/minute", {
      scope: (req: Request) => `tenant ${req.params["tenant"]}`,
    });
    app.get("/:tenant/a", perTenant, ok);
    app.get("/:tenant/b", perTenant, ok);
    const server = await serve(app);
    expect((await server.get("/one/a")).status).toBe(OK);
    expect((await server.get("/one/b")).status).toBe(NO);
    expect((await server.get("/two/b")).status).toBe(OK);
  });

  it("that throws is an error of the request, and charges nothing", async () => {
    const { server, errors } = await served("1/minute", {
      scope: (req) => {
        if (req.query["fail"] === "1") throw new Error("no tenant");
        return "fine";
      },
    });
    expect((await server.get("/x?fail=1")).status).toBe(500);
    expect(errors).toEqual([new Error("no tenant")]);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });
});

describe("cost", () => {
  it("is how much one request takes", async () => {
    const { server } = await served("7/minute", { cost: 3 });
    expect((await server.get("/x")).headers["x-ratelimit-remaining"]).toBe("4");
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it.each([
    ["at once", (cost: number) => cost],
    ["later", (cost: number) => Promise.resolve(cost)],
  ])("may be asked: %s", async (_when, answer) => {
    const { server } = await served("5/minute", { cost: (req) => answer(Number(req.query["n"])) });
    expect((await server.get("/x?n=4")).headers["x-ratelimit-remaining"]).toBe("1");
    expect((await server.get("/x?n=2")).status).toBe(NO);
    expect((await server.get("/x?n=1")).status).toBe(OK);
  });

  it("of 0 only looks", async () => {
    const { server } = await served("2/minute", { cost: (req) => Number(req.query["n"] ?? 0) });
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, OK]);
    expect((await server.get("/x?n=2")).headers["x-ratelimit-remaining"]).toBe("0");
    expect((await server.get("/x?n=0")).status).toBe(OK);
    expect((await server.get("/x?n=1")).status).toBe(NO);
  });

  it("that can never fit is refused without a wait", async () => {
    const { server } = await served("5/minute", { cost: (req) => Number(req.query["n"]) });
    const answer = await server.get("/x?n=6");
    expect([answer.status, answer.headers["retry-after"]]).toEqual([NO, undefined]);
    expect((await server.get("/x?n=5")).status).toBe(OK);
  });

  it("is asked once for a text of several limits, and taken from each", async () => {
    let asked = 0;
    const { server, limiter } = await served("5/minute; 10/hour", {
      cost: () => {
        asked++;
        return 2;
      },
    });
    await server.get("/x");
    expect(asked).toBe(1);
    const spent = (await limiter.peek("127.0.0.1")).map(({ limit, used }) => `${used} of ${limit}`);
    expect(spent).toEqual(["2 of 5 per 1 minute", "2 of 10 per 1 hour"]);
  });

  it.each<[string, unknown]>([
    ["NaN", Number.NaN],
    ["-1", -1],
    ["0.5", 0.5],
    ["Infinity", Number.POSITIVE_INFINITY],
    ["2^53", 2 ** 53],
    ["text", "3"],
  ])("of %s is an error of the request, and charges nothing", async (_what, cost) => {
    const { server, errors } = await served("2/minute", {
      cost: (req) => (req.query["bad"] === "1" ? (cost as number) : 1),
    });
    expect((await server.get("/x?bad=1")).status).toBe(500);
    expect(errors).toEqual([expect.objectContaining({ code: "CONFIGURATION" })]);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
  });

  it("that throws or rejects is an error of the request, and charges nothing", async () => {
    const { server, errors } = await served("1/minute", {
      cost: (req) => {
        if (req.query["fail"] === "throw") throw new Error("thrown");
        if (req.query["fail"] === "reject") return Promise.reject(new Error("rejected"));
        return 1;
      },
    });
    expect((await server.get("/x?fail=throw")).status).toBe(500);
    expect((await server.get("/x?fail=reject")).status).toBe(500);
    expect(errors).toEqual([new Error("thrown"), new Error("rejected")]);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });
});

describe("exemptWhen", () => {
  it.each([
    ["at once", (value: boolean) => value],
    ["later", (value: boolean) => Promise.resolve(value)],
  ])("lifts the limit, and the defaults do not come back: %s", async (_when, answer) => {
    const { server } = await served("2/minute", {
      exemptWhen: (req) => answer(req.headers["x-staff"] === "1"),
    });
    const free = await server.get("/x", { "x-staff": "1" });
    expect([free.status, free.headers["x-ratelimit-limit"]]).toEqual([OK, undefined]);
    expect(await server.statuses(3, "/x", { "x-staff": "1" })).toEqual([OK, OK, OK]);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
    expect((await server.get("/x", { "x-staff": "1" })).status).toBe(OK);
  });

  it("lifts one of several limits", async () => {
    const { app, limiter } = limitedApp(express);
    app.get(
      "/x",
      limiter.limit("1/minute", { exemptWhen: (req) => req.headers["x-staff"] === "1" }),
      limiter.limit("3/hour"),
      ok,
    );
    const server = await serve(app);
    expect(await server.statuses(4, "/x", { "x-staff": "1" })).toEqual([OK, OK, OK, NO]);
  });

  it("keeps application limits", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "2/minute" });
    app.get("/x", limiter.limit("1/minute", { exemptWhen: () => true }), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
  });

  it("that throws is an error of the request, and charges nothing", async () => {
    const { server, errors } = await served("1/minute", {
      exemptWhen: async (req) => {
        if (req.query["fail"] === "1") throw new Error("no database");
        return false;
      },
    });
    expect((await server.get("/x?fail=1")).status).toBe(500);
    expect(errors).toEqual([new Error("no database")]);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });
});

describe("keyFunc", () => {
  it("says who is counted by this limit, and by no other", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "5/minute" });
    app.get("/x", limiter.limit("1/minute", { keyFunc: (req) => req.headers["x-user"] as string }), ok);
    const server = await serve(app);
    const statuses: number[] = [];
    for (const user of ["ann", "ann", "bob", "cy", "dan", "eve", "fay"]) {
      statuses.push((await server.get("/x", { "x-user": user })).status);
    }
    // Ann's second is refused and costs nothing; the sixth that passes is one too many for their address.
    expect(statuses).toEqual([OK, NO, OK, OK, OK, OK, NO]);
  });
});

describe("strategy and burst", () => {
  it("count one limit in a way of its own", async () => {
    const { server, clock } = await served("60/minute", { strategy: "token-bucket", burst: 2 });
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
    clock.advance(1000);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });
});

describe("headers: false", () => {
  it("counts, and shows nothing but Retry-After", async () => {
    const { server } = await served("1/minute", { headers: false });
    expect((await server.get("/x")).headers).not.toHaveProperty("x-ratelimit-limit");
    const refused = await server.get("/x");
    expect([refused.status, refused.headers["retry-after"]]).toEqual([NO, "60"]);
    expect(refused.headers).not.toHaveProperty("x-ratelimit-limit");
  });

  it("shows the other limits of the request", async () => {
    const { app, limiter } = limitedApp(express, { standardHeaders: "ietf" });
    app.get("/x", limiter.limit("1/second", { headers: false }), limiter.limit("5/minute"), (req, res) => {
      res.json({ shown: req.rateLimit?.policy, all: limiter.currentLimits(req).length });
    });
    const server = await serve(app);
    const { headers, body } = await server.get("/x");
    expect(headers["x-ratelimit-limit"]).toBe("5");
    expect(headers["ratelimit-policy"]).toBe('"5-per-minute";q=5;w=60');
    expect(JSON.parse(body)).toEqual({ shown: "5 per 1 minute", all: 2 });
  });

  it("tells the wait of the limit that refused, though another is shown", async () => {
    const { app, limiter, clock } = limitedApp(express);
    app.get("/x", limiter.limit("1/hour", { headers: false }), limiter.limit("5/minute"), ok);
    const server = await serve(app);
    await server.get("/x");
    clock.set(START + 60_000);
    const refused = await server.get("/x");
    expect([refused.status, refused.headers["retry-after"], refused.body.includes("1 per 1 hour")]).toEqual([
      NO,
      "3540",
      true,
    ]);
  });
});
