import { METHODS } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import express, { type Express } from "express";
import { describe, expect, it } from "vitest";
import type { ExpressRequest } from "../../src/express/express-internals.js";
import { LookupCache } from "../../src/express/lookup-cache.js";
import { Marks } from "../../src/express/marks.js";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const MEGABYTE = 1024 * 1024;

function heapAfter(act: () => unknown): number {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const kept = act();
  collectGarbage();
  const grown = process.memoryUsage().heapUsed - before;
  expect(kept).toBeDefined();
  return grown;
}

/** A URL as the HTTP parser makes it: one flat text. */
const asReceived = (url: string) => Buffer.from(url, "latin1").toString("latin1");

function requestFor(app: Express, url: string, method = "GET"): ExpressRequest {
  return { app, url: asReceived(url), method, baseUrl: "" } as unknown as ExpressRequest;
}

function appWithRoutes(): Express {
  const app = express();
  app.get("/users/:id", (_req, res) => void res.send("ok"));
  return app;
}

/** Counts how often the app's last layer is asked whether it matches. */
function matchesAsked(app: Express): { count: number } {
  const asked = { count: 0 };
  const layer = app.router.stack.at(-1) as unknown as { match: (path: string) => unknown };
  const { match } = layer;
  layer.match = (path) => {
    asked.count++;
    return match.call(layer, path);
  };
  return asked;
}

describe("the memory of look-ups", () => {
  it("answers from memory, and gives the same look-up for the same path", () => {
    const [app, cache] = [appWithRoutes(), new LookupCache(new Marks())];
    const first = cache.forRequest(requestFor(app, "/users/1?a"));
    expect(cache.forRequest(requestFor(app, "/users/1?b"))).toBe(first);
    expect(cache.forRequest(requestFor(app, "/users/1", "POST"))).not.toBe(first);
  });

  it.each([
    ["gets a layer more", (app: Express) => void app.get("/users/:id", (_req, res) => void res.send("2"))],
    [
      "gets another layer for one of its own",
      (app: Express) => {
        app.router.stack.pop();
        app.get("/users/:name", (_req, res) => void res.send("2"));
      },
    ],
    [
      "gets another list of layers",
      (app: Express) => {
        app.router.stack = [...app.router.stack, ...app.router.stack];
      },
    ],
    [
      "has a route that gets a handler more",
      (app: Express) => void app.router.stack[0]?.route?.get((_req, res) => void res.send("2")),
    ],
  ])("looks a known path up again once a router %s", (_what, change) => {
    const [app, cache] = [appWithRoutes(), new LookupCache(new Marks())];
    const first = cache.forRequest(requestFor(app, "/users/1"));
    expect(cache.forRequest(requestFor(app, "/users/1"))).toBe(first);
    change(app);
    const second = cache.forRequest(requestFor(app, "/users/1"));
    expect(second).not.toBe(first);
    expect(cache.forRequest(requestFor(app, "/users/1"))).toBe(second);
    expect(cache.forRequest(requestFor(app, "/users/2"))).toBe(second);
  });

  it("knows a path after thousands of others have come", () => {
    const [app, cache] = [appWithRoutes(), new LookupCache(new Marks())];
    const asked = matchesAsked(app);
    cache.forRequest(requestFor(app, "/users/1"));
    for (let i = 0; i < 20_000; i++) {
      cache.forRequest(requestFor(app, `/invented/${i}`));
      const before = asked.count;
      if (i % 100 === 0) cache.forRequest(requestFor(app, "/users/1"));
      expect(asked.count).toBe(before);
    }
  });

  it("keeps one look-up for all paths of a route, one for each method", () => {
    const [app, cache] = [appWithRoutes(), new LookupCache(new Marks())];
    const first = cache.forRequest(requestFor(app, "/users/1"));
    expect(first?.endpoint).toBe("/users/:id");
    expect(cache.forRequest(requestFor(app, "/users/2"))).toBe(first);
    expect(cache.forRequest(requestFor(app, "/users/2", "HEAD"))).not.toBe(first);
    expect(cache.forRequest(requestFor(app, "/users"))).not.toBe(first);
    app.get("/users/:name", (_req, res) => void res.send("ok"));
    const second = cache.forRequest(requestFor(app, "/users/3"));
    expect(second?.candidates).toHaveLength(2);
    expect(cache.forRequest(requestFor(app, "/users/1"))).toBe(second);
  });

  it("keeps look-ups apart that meet a limit at different places", () => {
    const [app, marks] = [express(), new Marks()];
    const limit = (_req: unknown, _res: unknown, next: () => void) => next();
    marks.set(limit, { kind: "limit", bound: { methods: undefined } as never });
    app.use("/tenants/:id", limit);
    app.get("/tenants/:id/users", (_req, res) => void res.send("ok"));
    const cache = new LookupCache(marks);
    const prefixes = ["a", "b", "a"].map(
      (id) => cache.forRequest(requestFor(app, `/tenants/${id}/users`))?.mounted[0]?.prefix,
    );
    expect(prefixes).toEqual(["/tenants/a", "/tenants/b", "/tenants/a"]);
  });

  it("stays small when a client invents paths", () => {
    const app = appWithRoutes();
    const grown = heapAfter(() => {
      const cache = new LookupCache(new Marks());
      for (let i = 0; i < 60_000; i++) cache.forRequest(requestFor(app, `/users/${"x".repeat(400)}${i}`));
      return cache;
    });
    expect(grown).toBeLessThan(10 * MEGABYTE);
  });

  it("stays small when the client uses every method", () => {
    const app = appWithRoutes();
    const grown = heapAfter(() => {
      const cache = new LookupCache(new Marks());
      for (const method of METHODS) {
        for (let i = 0; i < 3000; i++) {
          cache.forRequest(requestFor(app, `/users/${"x".repeat(400)}${i}`, method));
        }
      }
      return cache;
    });
    expect(grown).toBeLessThan(10 * MEGABYTE);
  });

  it("does not hold on to the long query behind a short path", () => {
    const app = appWithRoutes();
    const query = "q".repeat(15_000);
    const grown = heapAfter(() => {
      const cache = new LookupCache(new Marks());
      for (let i = 0; i < 4000; i++)
        cache.forRequest(requestFor(app, `/users/some-longer-name-${i}?${query}`));
      return cache;
    });
    expect(grown).toBeLessThan(10 * MEGABYTE);
  });
});
