import express, { type Router } from "express";
import type { Limiter, LimitMiddleware } from "express-limits";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { limitedApp, ok } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

/** What stands on one level: a limit that replaces the defaults, one that is added to them, or an exemption. */
type Level = "" | "limit" | "added" | "exempt" | "exempt default" | "exempt application";

const made: Record<Exclude<Level, "">, (limiter: Limiter, amount: number) => LimitMiddleware> = {
  limit: (limiter, amount) => limiter.limit(`${amount}/minute`),
  added: (limiter, amount) => limiter.limit(`${amount}/minute`, { overrideDefaults: false }),
  exempt: (limiter) => limiter.exempt,
  "exempt default": (limiter) => limiter.exempt({ application: false, meta: false }),
  "exempt application": (limiter) => limiter.exempt({ default: false, meta: false }),
};

/** `/a/b/c/x` through three routers, each with one of these, and a route that tells what it was counted by. */
async function countedBy(levels: readonly [a: Level, b: Level, c: Level, route: Level]): Promise<string> {
  const { app, limiter } = limitedApp(express, {
    defaultLimits: "91/minute",
    applicationLimits: "90/minute",
  });
  const names = ["/a", "/b", "/c"];
  let parent: Pick<Router, "use"> = app;
  let last: Router = express.Router();
  names.forEach((name, i) => {
    const level = levels[i] ?? "";
    last = express.Router();
    if (level !== "") last.use(made[level](limiter, i + 1));
    parent.use(name, last);
    parent = last;
  });
  const onRoute = levels[3] === "" ? [] : [made[levels[3]](limiter, 4)];
  last.get("/x", ...onRoute, (req, res) => {
    res.send(
      limiter
        .currentLimits(req)
        .map(({ limit }) => names90(limit.amount))
        .join(" "),
    );
  });
  const server = await serve(app);
  return (await server.get("/a/b/c/x")).body;
}

function names90(amount: number): string {
  if (amount === 90) return "application";
  return amount === 91 ? "default" : `own${amount}`;
}

describe("overrideDefaults, three routers deep", () => {
  it.each<[levels: [Level, Level, Level, Level], counted: string]>([
    [["", "", "", ""], "application default"],

    // A limit anywhere on the way replaces the defaults.
    [["", "", "", "limit"], "application own4"],
    [["", "", "limit", ""], "application own3"],
    [["limit", "", "", ""], "application own1"],
    [["limit", "limit", "limit", "limit"], "application own1 own2 own3 own4"],

    // One that is added leaves them in force.
    [["", "", "", "added"], "application default own4"],
    [["", "added", "", ""], "application default own2"],
    [["added", "added", "added", "added"], "application default own1 own2 own3 own4"],

    // One that replaces them is enough, wherever it stands.
    [["limit", "", "", "added"], "application own1 own4"],
    [["added", "", "", "limit"], "application own1 own4"],
    [["added", "limit", "added", "added"], "application own1 own2 own3 own4"],

    // An exemption lifts what comes from elsewhere, for all below it; a limit that stands on the way holds.
    [["exempt", "", "", ""], ""],
    [["", "", "exempt", ""], ""],
    [["", "", "", "exempt"], ""],
    [["exempt", "", "", "limit"], "own4"],
    [["exempt", "limit", "", "added"], "own2 own4"],
    [["added", "exempt", "added", ""], "own1 own3"],

    // In part.
    [["exempt default", "", "", ""], "application"],
    [["exempt default", "", "", "added"], "application own4"],
    [["exempt application", "", "", ""], "default"],
    [["exempt application", "", "", "limit"], "own4"],
    [["exempt application", "added", "", ""], "default own2"],
    [["exempt application", "", "exempt default", ""], ""],
    [["exempt default", "limit", "exempt application", "added"], "own2 own4"],
  ])("%j is counted by %j", async (levels, counted) => {
    expect(await countedBy(levels)).toBe(counted);
  });
});

describe("overrideDefaults", () => {
  it("of one of two limits on a route is enough", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1/minute" });
    app.get("/x", limiter.limit("4/minute", { overrideDefaults: false }), limiter.limit("3/minute"), ok);
    const server = await serve(app);
    expect(await server.statuses(4, "/x")).toEqual([OK, OK, OK, NO]);
  });

  it("of one that does not apply to the method counts for nothing", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1/minute" });
    app.all(
      "/x",
      limiter.limit("4/minute", { overrideDefaults: false }),
      limiter.limit("3/minute", { methods: ["POST"] }),
      ok,
    );
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect((await server.send("POST", "/x")).status).toBe(OK);
    expect((await server.send("POST", "/x")).status).toBe(OK);
  });

  it("false counts a default and an own limit of the same text together with itself only", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "3/minute" });
    app.get("/x", limiter.limit("3/minute", { overrideDefaults: false }), ok);
    const server = await serve(app);
    expect(await server.statuses(4, "/x")).toEqual([OK, OK, OK, NO]);
  });

  it("leaves the neighbours alone: they keep their defaults", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1/minute" });
    const [outer, inner] = [express.Router(), express.Router()];
    inner.use(limiter.limit("3/minute"));
    inner.get("/x", ok);
    outer.use("/inner", inner);
    outer.get("/y", ok);
    app.use("/outer", outer);
    const server = await serve(app);
    expect(await server.statuses(4, "/outer/inner/x")).toEqual([OK, OK, OK, NO]);
    expect(await server.statuses(2, "/outer/y")).toEqual([OK, NO]);
  });
});

describe("a limit on a router", () => {
  it("has one counter for the mount, or with perEndpoint one for each route below", async () => {
    const { app, limiter } = limitedApp(express);
    for (const perEndpoint of [false, true]) {
      const [outer, inner] = [express.Router(), express.Router()];
      inner.get("/x/:id", ok);
      inner.get("/y", ok);
      outer.use("/inner", inner);
      app.use(perEndpoint ? "/each" : "/one", limiter.limit("2/minute", { perEndpoint }), outer);
    }
    const server = await serve(app);
    expect((await server.get("/one/inner/x/1")).status).toBe(OK);
    expect((await server.get("/one/inner/y")).status).toBe(OK);
    expect((await server.get("/one/inner/x/2")).status).toBe(NO);
    expect((await server.get("/each/inner/x/1")).status).toBe(OK);
    expect((await server.get("/each/inner/x/2")).status).toBe(OK);
    expect((await server.get("/each/inner/x/3")).status).toBe(NO);
    expect(await server.statuses(3, "/each/inner/y")).toEqual([OK, OK, NO]);
  });

  it("that refuses gives back what the levels before it have charged", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "100/minute" });
    const [outer, middle, inner] = [express.Router(), express.Router(), express.Router()];
    outer.use(limiter.limit("50/minute"));
    middle.use(limiter.limit("20/minute"));
    inner.get("/x", limiter.limit("2/minute"), ok);
    middle.use("/inner", inner);
    outer.use("/middle", middle);
    app.use("/outer", outer);
    const server = await serve(app);
    expect(await server.statuses(5, "/outer/middle/inner/x")).toEqual([OK, OK, NO, NO, NO]);
    const spent = (await limiter.peek("127.0.0.1")).map(({ used }) => used);
    expect(spent).toEqual([2, 2, 2, 2]);
  });
});
