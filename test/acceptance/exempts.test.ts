import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Express } from "express";
import { ConfigurationError, type Limiter } from "express-limits";
import { describe, expect, it, onTestFinished } from "vitest";
import { expresses } from "../helpers/expresses.js";
import { serve } from "../helpers/http.js";
import { limitedApp, ok, pass } from "../helpers/limited-app.js";

const OK = 200;
const NO = 429;

describe.each(expresses)("an exemption on $name", ({ name, express }) => {
  const strict = () =>
    limitedApp(express, { defaultLimits: "1 per minute", applicationLimits: "50 per minute" });
  const everything = name === "express 4" ? "*" : "/{*any}";

  describe("lifts the default limits", () => {
    const places: [string, (app: Express, limiter: Limiter) => void][] = [
      ["on a route", (app, limiter) => app.get("/free", limiter.exempt, ok)],
      ["made by a call", (app, limiter) => app.get("/free", limiter.exempt({}), ok)],
      ["behind another handler", (app, limiter) => app.get("/free", pass, limiter.exempt, ok)],
      ["on a handler", (app, limiter) => app.get("/free", limiter.exempt(ok.bind(undefined)))],
      ["on app.route", (app, limiter) => app.route("/free").all(limiter.exempt).get(ok)],
      ["on a path", (app, limiter) => app.use("/free", limiter.exempt).get("/free", ok)],
      ["on a path, with its handler", (app, limiter) => app.use("/free", limiter.exempt, ok)],
      ["on all paths", (app, limiter) => app.use(limiter.exempt).get("/free", ok)],
      [
        "on a router",
        (app, limiter) => {
          const router = express.Router();
          router.get("/free", ok);
          app.use(limiter.exempt(router));
        },
      ],
      [
        "in a router",
        (app, limiter) => {
          const router = express.Router();
          router.use(limiter.exempt);
          router.get("/", ok);
          app.use("/free", router);
        },
      ],
      [
        "on a router around routers",
        (app, limiter) => {
          const [outer, inner] = [express.Router(), express.Router()];
          inner.get("/", ok);
          outer.use("/free", inner);
          app.use(limiter.exempt(outer));
        },
      ],
      [
        "on a router without routes",
        (app, limiter) => {
          const router = express.Router();
          router.use(ok);
          app.use("/free", limiter.exempt(router));
        },
      ],
      [
        "in a router without routes",
        (app, limiter) => {
          const router = express.Router();
          router.use(limiter.exempt, ok);
          app.use("/free", router);
        },
      ],
      [
        "on a router without routes, before a catch-all",
        (app, limiter) => {
          const router = express.Router();
          router.use(ok);
          app.use("/free", limiter.exempt(router));
          app.get(everything, ok);
        },
      ],
      [
        "on a router without routes, behind a catch-all",
        (app, limiter) => {
          const router = express.Router();
          router.use(ok);
          app.all(everything, pass);
          app.use("/free", limiter.exempt(router));
        },
      ],
      [
        "on an app",
        (app, limiter) => {
          const sub = express();
          sub.get("/", ok);
          app.use("/free", limiter.exempt(sub));
        },
      ],
      [
        "in an app",
        (app, limiter) => {
          const sub = express();
          sub.get("/", limiter.exempt, ok);
          sub.use(limiter.middleware());
          app.use("/free", limiter.exempt(sub));
        },
      ],
    ];
    it.each(places)("%s", async (_where, place) => {
      const { app, limiter } = strict();
      app.get("/other", ok);
      place(app, limiter);
      const server = await serve(app);
      expect(await server.statuses(4, "/free")).toEqual([OK, OK, OK, OK]);
      expect((await server.get("/free")).headers).not.toHaveProperty("x-ratelimit-limit");
      expect(await server.statuses(2, "/other")).toEqual([OK, NO]);
    });

    it.each(["/free", "/tenants/:id", ["/free", "/libre"]])("of an app mounted at %j", async (mount) => {
      const { app, limiter } = strict();
      const sub = express();
      sub.get("/x", ok);
      app.use(mount, limiter.exempt(sub));
      const server = await serve(app);
      const path = mount === "/tenants/:id" ? "/tenants/acme" : "/FREE";
      expect(await server.statuses(3, `${path}/x`)).toEqual([OK, OK, OK]);
    });

    it("before its middleware has run", async () => {
      const { app, limiter } = limitedApp(express, { defaultLimits: "1 per minute" }, false);
      app.use("/free", limiter.exempt);
      app.use(limiter.middleware());
      app.get("/free", ok);
      app.get("/other", ok);
      const server = await serve(app);
      expect(await server.statuses(3, "/free")).toEqual([OK, OK, OK]);
      expect(await server.statuses(2, "/other")).toEqual([OK, NO]);
    });

    it("where a wrapper runs it before its middleware", async () => {
      const { app, limiter } = limitedApp(express, { defaultLimits: "1 per minute" }, false);
      app.use((req, res, next) => {
        if (req.headers["x-health"] === "1") limiter.exempt(req, res, next);
        else next();
      });
      app.use(limiter.middleware());
      app.get("/x", ok);
      const server = await serve(app);
      expect(await server.statuses(3, "/x", { "x-health": "1" })).toEqual([OK, OK, OK]);
      expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    });

    it("for static files", async () => {
      const folder = mkdtempSync(join(tmpdir(), "express-limits-exempt-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      writeFileSync(join(folder, "a.txt"), "A");
      const { app, limiter } = strict();
      const router = express.Router();
      router.use(express.static(folder));
      app.use("/assets", limiter.exempt({ application: false }), express.static(folder));
      app.use("/files", limiter.exempt(express.static(folder)));
      app.use("/more", limiter.exempt(router));
      const server = await serve(app);
      for (const mount of ["/assets", "/files", "/more"]) {
        expect(await server.statuses(3, `${mount}/a.txt`)).toEqual([OK, OK, OK]);
      }
    });
  });

  it("of one method leaves the others limited", async () => {
    const { app, limiter } = strict();
    app.route("/x").get(limiter.exempt, ok).post(ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, OK]);
    expect((await server.send("POST", "/x")).status).toBe(OK);
    expect((await server.send("POST", "/x")).status).toBe(NO);
  });

  it("lifts application limits too, unless told not to", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1/hour", applicationLimits: "2/minute" });
    app.get("/free", limiter.exempt, ok);
    app.get("/half", limiter.exempt({ application: false }), ok);
    app.get("/other-half", limiter.exempt({ default: false }), ok);
    const server = await serve(app);
    expect(await server.statuses(4, "/free")).toEqual([OK, OK, OK, OK]);
    expect(await server.statuses(3, "/half")).toEqual([OK, OK, NO]);
    expect(await server.statuses(2, "/other-half")).toEqual([OK, NO]);
    expect((await server.get("/other-half")).body).toContain("1 per 1 hour");
  });

  it("adds up with another on the way", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1/hour", applicationLimits: "2/minute" });
    const router = express.Router();
    router.get("/x", limiter.exempt({ default: false }), ok);
    router.get("/y", ok);
    app.use("/api", limiter.exempt(router, { application: false }));
    const server = await serve(app);
    expect(await server.statuses(4, "/api/x")).toEqual([OK, OK, OK, OK]);
    expect(await server.statuses(3, "/api/y")).toEqual([OK, OK, NO]);
  });

  it("does not lift a limit that stands on the route itself", async () => {
    const { app, limiter } = strict();
    const router = express.Router();
    router.get("/own", limiter.limit("2 per minute"), ok);
    router.get("/both", limiter.exempt, limiter.limit("2 per minute"), ok);
    router.get("/late", limiter.limit("2 per minute"), limiter.exempt, ok);
    app.use("/api", limiter.exempt(router));
    const server = await serve(app);
    for (const path of ["/api/own", "/api/both", "/api/late"]) {
      expect(await server.statuses(3, path)).toEqual([OK, OK, NO]);
    }
  });

  it("stays when the route's own limit does not apply", async () => {
    const { app, limiter } = strict();
    app.all("/x", limiter.exempt, limiter.limit("1 per minute", { methods: ["POST"] }), ok);
    app.get(
      "/y",
      limiter.exempt,
      limiter.limit(() => undefined),
      ok,
    );
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, OK]);
    expect(await server.statuses(3, "/y")).toEqual([OK, OK, OK]);
  });

  it("of a router leaves its neighbours on the same path limited", async () => {
    const { app, limiter } = strict();
    const [free, other] = [express.Router(), express.Router()];
    free.get("/free", ok);
    other.get("/other", ok);
    app.use("/api", limiter.exempt(free));
    app.use("/api", other);
    const server = await serve(app);
    expect(await server.statuses(3, "/api/free")).toEqual([OK, OK, OK]);
    expect(await server.statuses(2, "/api/other")).toEqual([OK, NO]);
  });

  it("of a router at the root leaves requests that no route answers limited", async () => {
    const { app, limiter } = strict();
    const router = express.Router();
    router.get("/free", ok);
    app.use(limiter.exempt(router));
    const server = await serve(app);
    expect(await server.statuses(2, "/nothing")).toEqual([404, NO]);
  });

  it("of an app leaves an app limited that another parent mounts at the same path", async () => {
    const { app, limiter } = strict();
    const [parent, free, admin] = [express(), express(), express()];
    free.get("/x", ok);
    admin.get("/x", ok);
    parent.use("/admin", limiter.exempt(free));
    app.use("/public", parent);
    app.use("/admin", admin);
    const server = await serve(app);
    expect(await server.statuses(2, "/admin/x")).toEqual([OK, NO]);
  });

  it("by one limiter leaves another alone", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "1 per minute" });
    const other = limitedApp(express, { defaultLimits: "2 per minute" }).limiter;
    app.use(other.middleware());
    app.get("/x", limiter.exempt, ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
  });

  it("returns the handler or router that it was given", () => {
    const { limiter } = strict();
    const router = express.Router();
    expect(limiter.exempt(router)).toBe(router);
    expect(limiter.exempt(ok)).toBe(ok);
  });

  it.each([{ defualt: true }, { application: "no" }])("refuses the options %j", (options) => {
    const { limiter } = strict();
    expect(() => limiter.exempt(options as never)).toThrow(ConfigurationError);
    expect(() => limiter.exempt(ok, options as never)).toThrow(Object.keys(options)[0]);
  });
});
