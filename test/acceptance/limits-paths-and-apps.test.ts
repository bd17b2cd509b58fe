import type { RequestHandler } from "express";
import { Limiter } from "express-limits";
import { ManualClock } from "express-limits/testing";
import { describe, expect, it } from "vitest";
import { expresses } from "../helpers/expresses.js";
import { serve } from "../helpers/http.js";
import { limitedApp, ok, pass, START } from "../helpers/limited-app.js";

const OK = 200;
const NO = 429;

describe.each(expresses)("a limit on a path, on $name", ({ express }) => {
  it("has one counter for all routes below", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1 per hour" });
    app.use("/api", limiter.limit("3 per minute"));
    app.get("/api/a", ok);
    app.get("/api/b/:id", ok);
    app.get("/other", ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/api/a")).toEqual([OK, OK]);
    expect(await server.statuses(2, "/API/b/1")).toEqual([OK, NO]);
    expect((await server.get("/api/nothing")).status).toBe(NO);
    expect(await server.statuses(2, "/other")).toEqual([OK, NO]);
  });

  it("has one counter for each route below with perEndpoint", async () => {
    const { app, limiter } = limitedApp(express);
    app.use("/api", limiter.limit("1 per minute", { perEndpoint: true }));
    app.get("/api/a/:id", ok);
    app.get("/api/b", ok);
    const server = await serve(app);
    expect((await server.get("/api/a/1")).status).toBe(OK);
    expect((await server.get("/api/a/2")).status).toBe(NO);
    expect(await server.statuses(2, "/api/b")).toEqual([OK, NO]);
    expect((await server.get("/api/x")).status).toBe(404);
    expect((await server.get("/api/y")).status).toBe(NO);
  });

  it("counts at each mount on its own when it is mounted at two", async () => {
    const { app, limiter } = limitedApp(express);
    const limit = limiter.limit("1 per minute");
    app.use("/a", limit);
    app.use("/b", limit);
    app.get("/:any", ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/a")).toEqual([OK, NO]);
    expect(await server.statuses(2, "/b")).toEqual([OK, NO]);
  });

  it("counts below a parameter once for all its values", async () => {
    const { app, limiter } = limitedApp(express);
    app.use("/tenants/:id", limiter.limit("2 per minute"));
    app.get("/tenants/:id/x", ok);
    const server = await serve(app);
    expect((await server.get("/tenants/1/x")).status).toBe(OK);
    expect((await server.get("/tenants/2/x")).status).toBe(OK);
    expect((await server.get("/tenants/3/x")).status).toBe(NO);
  });

  it("holds together with a route's own, and gives back when that refuses", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "9 per minute" });
    app.use("/api", limiter.limit("3 per minute"));
    app.get("/api/a", limiter.limit("1 per minute"), ok);
    app.get("/api/b", ok);
    const server = await serve(app);
    expect(await server.statuses(4, "/api/a")).toEqual([OK, NO, NO, NO]);
    expect(await server.statuses(3, "/api/b")).toEqual([OK, OK, NO]);
  });

  it("stands on a router", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1 per hour" });
    const router = express.Router();
    router.use(limiter.limit("3 per minute"));
    router.get("/a", ok);
    router.get("/b", ok);
    app.use("/api", router);
    const server = await serve(app);
    expect(await server.statuses(2, "/api/a")).toEqual([OK, OK]);
    expect(await server.statuses(2, "/api/b")).toEqual([OK, NO]);
  });

  it("replaces the default limits of what a router answers without routes", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1 per hour" });
    const router = express.Router();
    router.use(limiter.limit("2 per minute"));
    router.use(ok);
    app.use("/proxy", router);
    const server = await serve(app);
    expect(await server.statuses(2, "/nothing")).toEqual([404, NO]);
    expect(await server.statuses(3, "/proxy/x")).toEqual([OK, OK, NO]);
  });

  it("leaves the default limits beside it when it does not override them", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "2 per hour" });
    app.use("/api", limiter.limit("3 per minute", { overrideDefaults: false }));
    app.get("/api/a", ok);
    app.get("/api/b", ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/api/a")).toEqual([OK, OK, NO]);
    expect(await server.statuses(2, "/api/b")).toEqual([OK, NO]);
  });
});

describe.each(expresses)("what the look-ahead cannot see on $name", ({ express }) => {
  const wrap =
    (handler: (req: never, res: never, next: never) => void): RequestHandler =>
    (req, res, next) =>
      handler(req as never, res as never, next as never);

  it("a wrapped limit holds, and the default limits give back their charge", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "2 per hour" });
    app.get("/x", wrap(limiter.limit("3 per minute")), ok);
    app.post("/x", ok);
    const server = await serve(app);
    expect(await server.statuses(4, "/x")).toEqual([OK, OK, OK, NO]);
    expect((await server.send("POST", "/x")).status).toBe(OK);
    expect((await server.send("POST", "/x")).status).toBe(OK);
    expect((await server.send("POST", "/x")).status).toBe(NO);
  });

  it("wrapped limits of two routes have two counters", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", wrap(limiter.limit("1 per minute")), ok);
    app.get("/y", wrap(limiter.limit("1 per minute")), ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect(await server.statuses(2, "/y")).toEqual([OK, NO]);
  });

  it("a wrapped limit on a path holds", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "9 per minute" });
    app.use("/api", wrap(limiter.limit("2 per minute")));
    app.get("/api/a", ok);
    app.get("/api/b", ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/api/a")).toEqual([OK, OK]);
    expect((await server.get("/api/b")).status).toBe(NO);
  });

  // Wanted; the default limits keep their charge today.
  it("a limit in a mounted app holds, and replaces the default limits", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "2 per hour" });
    const sub = express();
    sub.get("/own", limiter.limit("3 per minute"), ok);
    sub.get("/plain", ok);
    app.use("/sub", sub);
    const server = await serve(app);
    expect(await server.statuses(4, "/sub/own")).toEqual([OK, OK, OK, NO]);
    expect(await server.statuses(3, "/sub/plain")).toEqual([OK, OK, NO]);
  });

  it("apps mounted at two paths count the same route twice", async () => {
    const { app, limiter } = limitedApp(express);
    for (const mount of ["/a", "/b"]) {
      const sub = express();
      sub.get("/own", limiter.limit("1 per minute"), ok);
      app.use(mount, sub);
    }
    const server = await serve(app);
    expect(await server.statuses(2, "/a/own")).toEqual([OK, NO]);
    expect(await server.statuses(2, "/b/own")).toEqual([OK, NO]);
  });

  it("a mounted app with a limiter of its own is limited by both", async () => {
    const { app, clock } = limitedApp(express, { applicationLimits: "3 per minute" });
    const own = new Limiter({ clock, defaultLimits: "1 per minute" });
    const sub = express();
    sub.use(own.middleware());
    sub.get("/x/:id", ok);
    sub.get("/free", own.exempt, ok);
    app.use("/sub", sub);
    const server = await serve(app);
    expect((await server.get("/sub/x/1")).status).toBe(OK);
    expect((await server.get("/sub/x/2")).status).toBe(NO);
    // Limiters are independent: what the inner one refuses has been counted by the outer one.
    expect(await server.statuses(2, "/sub/free")).toEqual([OK, NO]);
    expect((await server.get("/sub/free")).body).toContain("3 per 1 minute");
  });

  it.each([
    { mount: "/sub", path: "/sub" },
    { mount: "/tenants/:id", path: "/tenants/7" },
    { mount: ["/s1", "/s2"], path: "/s2" },
    { mount: "/deep/er", path: "/deep/er" },
    { mount: "/", path: "" },
    { mount: /^\/r\d+/, path: "/r5" },
  ])("a limiter inside an app mounted at $mount finds the app's routes", async ({ mount, path }) => {
    const app = express();
    const limiter = new Limiter({ clock: new ManualClock(START), defaultLimits: "1 per minute" });
    const sub = express();
    sub.use(limiter.middleware());
    const router = express.Router();
    router.get("/own/:id", limiter.limit("2 per minute"), ok);
    router.get("/plain/:id", ok);
    router.get("/free/x", limiter.exempt, ok);
    sub.use("/r", router);
    app.use(mount, sub);
    const server = await serve(app);
    expect(await server.statuses(3, `${path}/r/own/1`)).toEqual([OK, OK, NO]);
    expect(await server.statuses(3, `${path}/r/free/x`)).toEqual([OK, OK, OK]);
    expect(await server.statuses(2, `${path}/r/plain/1`)).toEqual([OK, NO]);
    expect((await server.get(`${path}/r/plain/2`)).status).toBe(NO);
    expect((await server.get(`${path}/nothing`)).status).toBe(404);
    expect((await server.get(`${path}/nothing`)).status).toBe(NO);
  });

  it("one app mounted at two paths of different depth is limited as at one", async () => {
    const app = express();
    const limiter = new Limiter({ clock: new ManualClock(START), defaultLimits: "1 per minute" });
    const sub = express();
    sub.use(limiter.middleware());
    sub.get("/own", limiter.limit("2 per minute"), ok);
    sub.get("/a/plain", ok);
    sub.get("/plain", limiter.exempt, ok);
    app.use("/v1", sub);
    app.use("/deep/v2", sub);
    const server = await serve(app);
    expect(await server.statuses(3, "/v1/own")).toEqual([OK, OK, NO]);
    expect(await server.statuses(2, "/v1/a/plain")).toEqual([OK, NO]);
    expect(await server.statuses(2, "/v1/plain")).toEqual([OK, OK]);
  });

  it("one limiter on an app and on the app mounted in it counts once", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "2 per minute" });
    const sub = express();
    sub.use(limiter.middleware());
    sub.get("/x", ok);
    app.use("/sub", sub);
    const server = await serve(app);
    expect(await server.statuses(3, "/sub/x")).toEqual([OK, OK, NO]);
  });
});

describe.each(expresses)("limits around authentication on $name", ({ express }) => {
  const authenticate: RequestHandler = (req, res, next) => {
    const { user } = req.headers;
    if (user === undefined) res.status(401).send("who are you?");
    else {
      Object.assign(req, { user: { id: user } });
      next();
    }
  };
  const byId = (req: { user?: { id: string } }) => req.user?.id;

  it("a limit behind it can count what it has set", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1 per hour" });
    app.get(
      "/x",
      limiter.limit("4 per minute"),
      authenticate,
      limiter.limit("2 per minute", { keyFunc: byId as never }),
      ok,
    );
    const server = await serve(app);
    expect(await server.statuses(3, "/x", { user: "ann" })).toEqual([OK, OK, NO]);
    expect(await server.statuses(2, "/x", { user: "bob" })).toEqual([OK, OK]);
    // The refused request cost nothing: four units of the address's limit are spent.
    expect((await server.get("/x", { user: "eve" })).status).toBe(NO);
    expect((await server.get("/x")).status).toBe(NO);
  });

  it("charges the first of them for strangers that it turns away", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", limiter.limit("2 per minute"), authenticate, ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([401, 401, NO]);
  });

  it("neighbours are decided together: the first costs nothing when the second refuses", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", limiter.limit("5 per minute"), limiter.limit("1 per minute"), ok);
    app.get("/left", (req, res) => {
      res.json(limiter.currentLimits(req));
    });
    const server = await serve(app);
    await server.statuses(4, "/x");
    const { headers } = await server.get("/x");
    expect(headers["x-ratelimit-limit"]).toBe("1");
    const remaining = (await limiter.test("5 per minute", "nobody")).remaining;
    expect(remaining).toBe(5);
  });

  it("a limit in a list of handlers counts like one beside them", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1 per hour" });
    app.get("/x", [pass, [limiter.limit("2 per minute")]] as never, ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
  });
});
