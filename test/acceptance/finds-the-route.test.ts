import type { Request, Response, Router } from "express";
import type { LimitMiddleware } from "express-limits";
import { describe, expect, it } from "vitest";
import { expresses } from "../helpers/expresses.js";
import { serve } from "../helpers/http.js";
import { limitedApp, ok, pass } from "../helpers/limited-app.js";

const OK = 200;
const NO = 429;

describe.each(expresses)("the look-ahead on $name", ({ name, express }) => {
  const isExpress4 = name === "express 4";
  const limited = (defaultLimits = "2 per minute") => limitedApp(express, { defaultLimits });

  it("counts a parameter's values together, and another pattern apart", async () => {
    const { app } = limited();
    app.get("/users/:id", ok);
    app.get("/users/:id/posts", ok);
    const server = await serve(app);
    expect((await server.get("/users/1")).status).toBe(OK);
    expect((await server.get("/users/2?x=1")).status).toBe(OK);
    expect((await server.get("/users/3")).status).toBe(NO);
    expect((await server.get("/users/1/posts")).status).toBe(OK);
  });

  it("sees a route through three nested routers", async () => {
    const { app, limiter } = limited("1 per minute");
    const [a, b, c] = [express.Router(), express.Router(), express.Router()];
    c.get("/leaf/:id", limiter.limit("3 per minute"), ok);
    c.get("/free", limiter.exempt, ok);
    c.get("/plain", ok);
    b.use("/c", c);
    a.use("/b", b);
    app.use("/a", a);
    const server = await serve(app);
    expect(await server.statuses(4, "/a/b/c/leaf/1")).toEqual([OK, OK, OK, NO]);
    expect(await server.statuses(4, "/a/b/c/free")).toEqual([OK, OK, OK, OK]);
    expect(await server.statuses(2, "/a/b/c/plain")).toEqual([OK, NO]);
  });

  it("gives routes of the same name in different routers their own counters", async () => {
    const { app, limiter } = limited("1 per minute");
    for (const mount of ["/a", "/b"]) {
      const router = express.Router();
      router.get("/plain", ok);
      router.get("/own", limiter.limit("2 per minute"), ok);
      app.use(mount, router);
    }
    const server = await serve(app);
    for (const mount of ["/a", "/b"]) {
      expect(await server.statuses(2, `${mount}/plain`)).toEqual([OK, NO]);
      expect(await server.statuses(3, `${mount}/own`)).toEqual([OK, OK, NO]);
    }
  });

  it("gives one router mounted twice two counters", async () => {
    const { app, limiter } = limited("1 per minute");
    const router = express.Router();
    router.get("/plain", ok);
    router.get("/own", limiter.limit("2 per minute"), ok);
    app.use("/v1", router);
    app.use("/v2", router);
    const server = await serve(app);
    for (const mount of ["/v1", "/v2"]) {
      expect(await server.statuses(2, `${mount}/plain`)).toEqual([OK, NO]);
      expect(await server.statuses(3, `${mount}/own`)).toEqual([OK, OK, NO]);
    }
  });

  describe("a mount with a parameter has one counter for all its values", () => {
    const mounts: { mount: string; paths: string[]; only4?: boolean }[] = [
      { mount: "/tenants/:id", paths: ["/tenants/a", "/tenants/b", "/tenants/42", "/TENANTS/x%20y"] },
      { mount: "/:tenant", paths: ["/a", "/b", "/%61%62", "/routes"] },
      { mount: "/a/:x/b/:y", paths: ["/a/a/b/b", "/a/b/b/a", "/a/1/b/2", "/A/a/B/a"] },
      { mount: "/v:version", paths: ["/v1", "/v2", "/vv", "/V3"] },
      { mount: "/@:user", paths: ["/@ann", "/@bob", "/@@", "/@user"] },
      { mount: "/:from-:to", paths: ["/a-b", "/c-d", "/1-2", "/a-a"] },
      { mount: "/files/:name.json", paths: ["/files/a.json", "/files/b.json", "/files/json.json"] },
      { mount: "/users/:id(\\d+)", paths: ["/users/1", "/users/2", "/users/333"], only4: true },
      { mount: "/:lang(en|de)", paths: ["/en", "/de", "/EN"], only4: true },
    ];
    it.each(mounts.filter(({ only4 }) => isExpress4 || only4 !== true))(
      "$mount",
      async ({ mount, paths }) => {
        const { app, limiter } = limited("1 per minute");
        const router = express.Router({ mergeParams: true });
        router.get("/plain", ok);
        router.get("/own", limiter.limit("1 per minute"), ok);
        app.use(mount, router);
        const server = await serve(app);
        for (const end of ["plain", "own"]) {
          const statuses: number[] = [];
          for (const path of paths) statuses.push((await server.get(`${path}/${end}`)).status);
          expect(statuses).toEqual([OK, ...paths.slice(1).map(() => NO)]);
        }
      },
    );

    it("when the first client to come spells its part oddly", async () => {
      const { app } = limited("1 per minute");
      const router = express.Router();
      router.get("/plain", ok);
      app.use("/v:version", router);
      const server = await serve(app);
      expect((await server.get("/v%31/plain")).status).toBe(OK);
      expect((await server.get("/v1/plain")).status).toBe(NO);
      expect((await server.get("/v%76/plain")).status).toBe(NO);
    });
  });

  it("counts a mount that is a regular expression once for all paths that fit it", async () => {
    const { app } = limited("1 per minute");
    const router = express.Router();
    router.get("/plain", ok);
    app.use(/^\/t\d+/, router);
    const server = await serve(app);
    const statuses: number[] = [];
    for (const path of ["/t1", "/t2", "/t33"]) statuses.push((await server.get(`${path}/plain`)).status);
    expect(statuses).toEqual([OK, NO, NO]);
  });

  it("hands merged parameters on unharmed", async () => {
    const { app } = limited("100 per minute");
    const router = express.Router({ mergeParams: true });
    router.get("/posts/:post", (req, res) => {
      res.json(req.params);
    });
    app.use("/users/:user", router);
    const server = await serve(app);
    expect(JSON.parse((await server.get("/users/7/posts/8")).body)).toEqual({ user: "7", post: "8" });
  });

  it("counts the methods of app.route together by default, and own limits where they stand", async () => {
    const { app, limiter } = limited();
    app.route("/plain").get(ok).post(ok);
    app.route("/own").get(limiter.limit("1 per minute"), ok).post(limiter.limit("1 per minute"), ok);
    const server = await serve(app);
    expect((await server.get("/plain")).status).toBe(OK);
    expect((await server.send("POST", "/plain")).status).toBe(OK);
    expect((await server.get("/plain")).status).toBe(NO);
    expect((await server.get("/own")).status).toBe(OK);
    expect((await server.send("POST", "/own")).status).toBe(OK);
    expect((await server.get("/own")).status).toBe(NO);
    expect((await server.send("POST", "/own")).status).toBe(NO);
  });

  it("counts one limit that stands at two methods of app.route at each of them", async () => {
    const { app, limiter } = limited();
    const once = limiter.limit("1 per minute");
    app.route("/own").get(once, ok).post(once, ok);
    const server = await serve(app);
    expect((await server.get("/own")).status).toBe(OK);
    expect((await server.send("POST", "/own")).status).toBe(OK);
    expect((await server.get("/own")).status).toBe(NO);
  });

  it("follows a method that is overridden behind its middleware, for that request only", async () => {
    const { app, limiter } = limited();
    app.use((req, _res, next) => {
      req.method = req.header("x-http-method-override") ?? req.method;
      next();
    });
    const once = limiter.limit("5 per minute");
    app.route("/own").post(once, tell).put(once, limiter.limit("9 per minute"), tell);
    function tell(req: Request, res: Response): void {
      res.send(limiter.currentLimits(req).map(({ scope, limit }) => `${scope}: ${limit.amount}`));
    }
    const server = await serve(app);
    const headers = { "x-http-method-override": "PUT" };
    const told = { post: '["POST /own: 5"]', put: '["PUT /own: 5","PUT /own: 9"]' };
    expect((await server.send("POST", "/own", { headers })).body).toBe(told.put);
    expect((await server.send("POST", "/own")).body).toBe(told.post);
    expect((await server.send("POST", "/own", { headers })).body).toBe(told.put);
    expect((await server.send("PUT", "/own")).body).toBe(told.put);
  });

  it("counts app.get and app.post apart, and app.all in one", async () => {
    const { app, limiter } = limited();
    app.get("/two", limiter.limit("1 per minute"), ok);
    app.post("/two", limiter.limit("1 per minute"), ok);
    app.all("/one", limiter.limit("2 per minute"), ok);
    const server = await serve(app);
    expect((await server.get("/two")).status).toBe(OK);
    expect((await server.send("POST", "/two")).status).toBe(OK);
    expect((await server.get("/two")).status).toBe(NO);
    expect((await server.get("/one")).status).toBe(OK);
    expect((await server.send("POST", "/one")).status).toBe(OK);
    expect((await server.send("DELETE", "/one")).status).toBe(NO);
  });

  it.each(["app", "router"])("names the place of a limit on %s.all by ALL", async (where) => {
    const { app, limiter } = limited();
    const router = where === "app" ? app : express.Router();
    router.all("/one", limiter.limit("2 per minute"), (req, res) => {
      res.send(limiter.currentLimit(req)?.scope);
    });
    if (where === "router") app.use(router);
    const server = await serve(app);
    expect((await server.get("/one")).body).toBe("ALL /one");
    expect((await server.send("PUT", "/one")).body).toBe("ALL /one");
  });

  it("decides both limits when app.all comes before app.get", async () => {
    const { app, limiter } = limited("1 per minute");
    app.all("/x", limiter.limit("3 per minute"), pass);
    app.get("/x", limiter.limit("2 per minute"), ok);
    app.post("/x", ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
    // The refused one cost nothing: there is one unit left for POST.
    expect((await server.send("POST", "/x")).status).toBe(OK);
    expect((await server.send("POST", "/x")).status).toBe(NO);
  });

  it("knows regular expressions and lists of paths", async () => {
    const { app, limiter } = limited("1 per minute");
    app.get(/^\/r(\d+)$/, ok);
    app.get(/^\/own(\d+)$/, limiter.limit("2 per minute"), ok);
    app.get(["/l1", "/l2/:id"], ok);
    const server = await serve(app);
    expect((await server.get("/r1")).status).toBe(OK);
    expect((await server.get("/r2")).status).toBe(NO);
    expect((await server.get("/own1")).status).toBe(OK);
    expect((await server.get("/own2")).status).toBe(OK);
    expect((await server.get("/own3")).status).toBe(NO);
    expect((await server.get("/l1")).status).toBe(OK);
    expect((await server.get("/l2/5")).status).toBe(NO);
  });

  it("sees routes that are added after requests were served", async () => {
    const { app, limiter } = limited("1 per minute");
    const router = express.Router();
    app.use("/api", router);
    const server = await serve(app);
    const gone = await server.statuses(2, "/api/new");
    expect(gone).toEqual([404, NO]);
    router.get("/new", limiter.limit("2 per minute"), ok);
    expect(await server.statuses(3, "/api/new")).toEqual([OK, OK, NO]);
    app.get("/later", limiter.exempt, ok);
    expect(await server.statuses(2, "/later")).toEqual([OK, OK]);
  });

  it("sees a method that is added to a route after requests were served", async () => {
    const { app, limiter } = limited("1 per minute");
    const route = app.route("/x");
    route.get(ok);
    const server = await serve(app);
    expect((await server.send("POST", "/x")).status).toBe(404);
    route.post(limiter.exempt, ok);
    expect((await server.send("POST", "/x")).status).toBe(OK);
    expect((await server.send("POST", "/x")).status).toBe(OK);
  });

  it("sees an exemption that is given to a handler after requests were served", async () => {
    const { app, limiter } = limited("1 per minute");
    const router = express.Router();
    router.get("/x", ok);
    app.use(router);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    limiter.exempt(router);
    expect(await server.statuses(2, "/x")).toEqual([OK, OK]);
  });

  it("counts HEAD as GET", async () => {
    const { app, limiter } = limited();
    app.get("/plain", ok);
    app.get("/own", limiter.limit("2 per minute"), ok);
    const server = await serve(app);
    for (const path of ["/plain", "/own"]) {
      expect((await server.send("HEAD", path)).status).toBe(OK);
      expect((await server.get(path)).status).toBe(OK);
      expect((await server.send("HEAD", path)).status).toBe(NO);
      expect((await server.get(path)).status).toBe(NO);
    }
  });

  it("charges nothing for OPTIONS that Express answers by itself", async () => {
    const { app } = limitedApp(express, { defaultLimits: "1 per minute", applicationLimits: "2 per minute" });
    app.get("/x", ok);
    const server = await serve(app);
    for (let i = 0; i < 5; i++) {
      const answer = await server.send("OPTIONS", "/x");
      expect([answer.status, answer.headers.allow]).toEqual([OK, expect.stringContaining("GET")]);
    }
    expect((await server.get("/x")).status).toBe(OK);
  });

  it("counts OPTIONS that a route answers", async () => {
    const { app } = limited("1 per minute");
    app.options("/x", ok);
    const server = await serve(app);
    expect((await server.send("OPTIONS", "/x")).status).toBe(OK);
    expect((await server.send("OPTIONS", "/x")).status).toBe(NO);
  });

  it("counts all requests that no route answers together", async () => {
    const { app } = limited();
    app.get("/x", ok);
    const server = await serve(app);
    expect((await server.get("/nothing/1")).status).toBe(404);
    expect((await server.send("POST", "/nothing/2")).status).toBe(404);
    expect((await server.get("/nothing/3")).status).toBe(NO);
    expect((await server.send("DELETE", "/x")).status).toBe(NO);
    expect((await server.get("/x")).status).toBe(OK);
  });

  it.each([[["/", "/nothing"]], [["/nothing", "/"]]])(
    "counts a route of an empty pattern apart from them: %j",
    async ([first = "", second = ""]) => {
      const { app } = limited("1 per minute");
      app.get("", ok);
      const server = await serve(app);
      const statuses = async (path: string) => server.statuses(2, path);
      const expected = new Map([
        ["/", [OK, NO]],
        ["/nothing", [404, NO]],
      ]);
      expect(await statuses(first)).toEqual(expected.get(first));
      expect(await statuses(second)).toEqual(expected.get(second));
    },
  );

  it('leaves them to application limits with unmatched: "skip"', async () => {
    const { app } = limitedApp(express, {
      defaultLimits: "1 per minute",
      applicationLimits: "4 per minute",
      unmatched: "skip",
    });
    app.get("/x", ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/nothing")).toEqual([404, 404, 404]);
    expect((await server.get("/x")).status).toBe(OK);
    expect((await server.get("/nothing")).status).toBe(NO);
  });

  it('follows next("route") to the next route of the same pattern', async () => {
    const { app, limiter } = limited("1 per minute");
    app.get("/x", (_req, _res, next) => next("route"));
    app.get("/x", limiter.limit("2 per minute"), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
  });

  it('keeps a limit that next("route") leads to under another pattern', async () => {
    const { app, limiter } = limited("5 per minute");
    app.get("/items/:id", (_req, _res, next) => next("route"));
    app.get("/items/special", limiter.limit("2 per minute"), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/items/special")).toEqual([OK, OK, NO]);
  });

  it("takes a catch-all for middleware, and for the route when nothing else matches", async () => {
    const { app, limiter } = limited("1 per minute");
    const everything = isExpress4 ? "*" : "/{*any}";
    app.all(everything, pass);
    app.get("/a", ok);
    app.get("/b", limiter.limit("2 per minute"), ok);
    app.get(everything, ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/a")).toEqual([OK, NO]);
    expect(await server.statuses(3, "/b")).toEqual([OK, OK, NO]);
    expect((await server.get("/c")).status).toBe(OK);
    expect((await server.get("/d")).status).toBe(NO);
  });

  it("enforces a limit that stands on a catch-all", async () => {
    const { app, limiter } = limited("9 per minute");
    app.all(/.*/, limiter.limit("2 per minute"), pass);
    app.get("/a", ok);
    app.get("/b", ok);
    const server = await serve(app);
    expect((await server.get("/a")).status).toBe(OK);
    expect((await server.get("/b")).status).toBe(OK);
    expect((await server.get("/a")).status).toBe(NO);
  });

  describe("does what Express does with odd spellings", () => {
    it.each(["/login/", "/LOGIN", "/Login?a=b", "/login?x=%zz", "/login#f"])("%s is /login", async (path) => {
      const { app, limiter } = limited("9 per minute");
      app.get("/login", limiter.limit("1 per minute"), ok);
      const server = await serve(app);
      expect((await server.get("/login")).status).toBe(OK);
      expect((await server.get(path)).status).toBe(NO);
    });

    it("counts the spellings of a mount's path together", async () => {
      const { app, limiter } = limited("1 per minute");
      const router = express.Router();
      router.get("/login", limiter.limit("1 per minute"), ok);
      router.get("/plain", ok);
      app.use("/api", router);
      const server = await serve(app);
      expect((await server.get("/api/login")).status).toBe(OK);
      expect((await server.get("/API/login")).status).toBe(NO);
      expect((await server.get("/Api/LOGIN/")).status).toBe(NO);
      expect((await server.get("/API/plain")).status).toBe(OK);
      expect((await server.get("/api/plain/")).status).toBe(NO);
    });

    it.each(["//login", "/%6cogin", "/login;x", "/./login", "/x/../login"])(
      "%s is not /login",
      async (path) => {
        const { app } = limited("1 per minute");
        app.get("/login", ok);
        const server = await serve(app);
        expect((await server.get(path)).status).toBe(404);
        expect((await server.get("/login")).status).toBe(OK);
      },
    );

    it("counts encoded values of a parameter with the others", async () => {
      const { app } = limited("1 per minute");
      app.get("/u/:id", ok);
      const server = await serve(app);
      expect((await server.get("/u/%6c")).status).toBe(OK);
      expect((await server.get("/u/l")).status).toBe(NO);
    });

    it.each(["/u/%zz", "/u/%", "/u/%c0%80", "/%zz/x"])(
      "%s neither crashes nor is unlimited",
      async (path) => {
        const { app } = limited("2 per minute");
        app.get("/u/:id", ok);
        app.get("/:any/x", ok);
        const server = await serve(app);
        expect(await server.statuses(3, path)).toEqual([400, 400, NO]);
        expect((await server.get("/u/1")).status).toBe(OK);
      },
    );

    it("reads a request line with a host", async () => {
      const { app, limiter } = limited("1 per minute");
      const router = express.Router();
      router.get("/login", limiter.limit("2 per minute"), ok);
      app.use("/api", router);
      const server = await serve(app);
      const absolute = "http://elsewhere.example/api/login?x=1";
      expect((await server.get(absolute)).status).toBe(OK);
      expect((await server.get("/api/login")).status).toBe(OK);
      expect((await server.get(absolute)).status).toBe(NO);
    });

    it.each(["*", "http://elsewhere.example", "http://elsewhere.example?x", "?x", "x"])(
      "a request for %j does not crash",
      async (path) => {
        const { app } = limited("1 per minute");
        app.get("/", ok);
        const server = await serve(app);
        const { status } = await server.send("OPTIONS", path);
        expect(status).toBeLessThan(500);
      },
    );

    it("limits paths of 15 KB", async () => {
      const { app } = limited("1 per minute");
      app.get("/u/:id", ok);
      const server = await serve(app);
      expect((await server.get(`/u/${"a".repeat(15_000)}`)).status).toBe(OK);
      expect((await server.get(`/u/${"b".repeat(15_000)}`)).status).toBe(NO);
      expect((await server.get("/u/c")).status).toBe(NO);
      expect((await server.get(`/${"x/".repeat(7500)}`)).status).toBe(404);
      expect((await server.get(`/${"y/".repeat(7500)}`)).status).toBe(NO);
    });
  });

  it("keeps strict and case-sensitive routes apart as Express does", async () => {
    const { app } = limited("1 per minute");
    const router = express.Router({ caseSensitive: true, strict: true });
    router.get("/x", ok);
    router.get("/x/", ok);
    router.get("/X", ok);
    app.use(router);
    const server = await serve(app);
    for (const path of ["/x", "/x/", "/X"]) expect(await server.statuses(2, path)).toEqual([OK, NO]);
  });

  it("counts once where its middleware is mounted twice", async () => {
    const { app, limiter } = limited();
    const router = express.Router();
    router.use(limiter.middleware());
    router.get("/x", ok);
    app.use(limiter.middleware());
    app.use("/api", limiter.middleware(), router);
    const server = await serve(app);
    expect(await server.statuses(3, "/api/x")).toEqual([OK, OK, NO]);
  });

  it("does not forget a route that stands before a second mount of its middleware", async () => {
    const { app, limiter } = limited("1 per minute");
    app.get("/api/x", ok);
    app.get("/api/own", limiter.limit("3 per minute"), ok);
    const router = express.Router();
    router.use(limiter.middleware());
    router.get("/:y", ok);
    app.use("/api", router);
    const server = await serve(app);
    expect(await server.statuses(2, "/api/x")).toEqual([OK, NO]);
    expect(await server.statuses(4, "/api/own")).toEqual([OK, OK, OK, NO]);
    expect((await server.get("/api/y")).status).toBe(OK);
  });

  it.each<[string, (router: Router, use: LimitMiddleware) => void]>([
    ["on a router", (router, use) => router.use(use)],
    ["on a path", (router, use) => router.use("/x", use)],
  ])("limits only what its middleware stands in front of: %s", async (_where, mount) => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1 per minute" }, false);
    const router = express.Router();
    mount(router, limiter.middleware());
    router.get("/x", ok);
    router.get("/x/own", limiter.limit("2 per minute"), ok);
    router.get("/x/free", limiter.exempt, ok);
    app.get("/outside", ok);
    app.use("/api", router);
    const server = await serve(app);
    expect(await server.statuses(2, "/api/x")).toEqual([OK, NO]);
    expect(await server.statuses(3, "/api/x/own")).toEqual([OK, OK, NO]);
    expect(await server.statuses(3, "/api/x/free")).toEqual([OK, OK, OK]);
    expect(await server.statuses(3, "/outside")).toEqual([OK, OK, OK]);
  });

  it("leaves alone what stands before its middleware", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1 per minute" }, false);
    app.get("/before", ok);
    app.use(limiter.middleware());
    app.get("/after", ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/before")).toEqual([OK, OK]);
    expect(await server.statuses(2, "/after")).toEqual([OK, NO]);
  });

  it("names limits before its middleware by their full pattern", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "9 per minute" }, false);
    for (const mount of ["/a", "/b"]) {
      const router = express.Router();
      router.get("/x", limiter.limit("1 per minute"), ok);
      app.use(mount, router);
    }
    app.use(limiter.middleware());
    const server = await serve(app);
    expect(await server.statuses(2, "/a/x")).toEqual([OK, NO]);
    expect(await server.statuses(2, "/b/x")).toEqual([OK, NO]);
  });

  it("limits routes without its middleware anywhere", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "4 per minute" }, false);
    const router = express.Router();
    router.get("/x", limiter.limit("1 per minute"), ok);
    router.get("/y", limiter.limit("9 per minute"), ok);
    app.use("/api/:v", router);
    const server = await serve(app);
    expect((await server.get("/api/1/x")).status).toBe(OK);
    expect((await server.get("/api/2/x")).status).toBe(NO);
    expect(await server.statuses(4, "/api/1/y")).toEqual([OK, OK, OK, NO]);
  });

  it("follows a path that was rewritten before it", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1 per minute" }, false);
    app.use((req, _res, next) => {
      req.url = req.url.replace("/old", "/new");
      next();
    });
    app.use(limiter.middleware());
    app.get("/new", limiter.limit("2 per minute"), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/old")).toEqual([OK, OK, NO]);
  });

  it("enforces the limit of a path that was rewritten after it", async () => {
    const { app, limiter } = limited("9 per minute");
    app.use((req, _res, next) => {
      req.url = req.url.replace("/old", "/new");
      next();
    });
    app.get("/new", limiter.limit("2 per minute"), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/old")).toEqual([OK, OK, NO]);
  });
});
