import { channel } from "node:diagnostics_channel";
import express from "express";
import {
  ConfigurationError,
  type Limiter,
  type LimiterEventName,
  type LimiterEvents,
  MemoryStorage,
  RateLimitExceeded,
} from "express-limits";
import { FaultyStorage } from "express-limits/testing";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { serve } from "../helpers/http.js";
import { limitedApp, ok } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

const names = [
  "breach",
  "metaBreach",
  "allowed",
  "denied",
  "storageError",
  "storageRecovered",
  "limitError",
] as const satisfies readonly LimiterEventName[];

/** One request for each event, in the order of `names`. */
async function everyEvent() {
  const storage = new FaultyStorage(new MemoryStorage());
  const logged: unknown[][] = [];
  const logger = { warn: () => {}, error: (...details: unknown[]) => void logged.push(details) };
  const made = limitedApp(express, {
    storage,
    logger,
    metaLimits: "1/minute",
    denyList: ["192.0.2.1"],
    swallowErrors: true,
  });
  const { app, limiter } = made;
  onTestFinished(() => limiter.close());
  app.set("trust proxy", true);
  app.get("/none", limiter.limit("0/minute"), ok);
  app.get("/x", limiter.limit("9/minute"), ok);
  app.get(
    "/wrong",
    limiter.limit(() => "10 per hor"),
    ok,
  );
  const server = await serve(app);
  const all = async () => {
    const statuses = [];
    statuses.push((await server.get("/wrong", { "x-forwarded-for": "192.0.2.7" })).status);
    statuses.push((await server.get("/x")).status);
    statuses.push((await server.get("/none")).status);
    statuses.push((await server.get("/x")).status);
    statuses.push((await server.get("/x", { "x-forwarded-for": "192.0.2.1" })).status);
    storage.fail();
    statuses.push((await server.get("/x")).status);
    storage.heal();
    statuses.push((await server.get("/x", { "x-forwarded-for": "192.0.2.8" })).status);
    return statuses;
  };
  return { ...made, logged, all };
}

const ANSWERS = [OK, OK, NO, NO, 403, OK, OK];
const ORDER = ["limitError", "allowed", "breach", "metaBreach", "denied", "storageError"];

describe("events", () => {
  it("tell what happened, each once", async () => {
    const { limiter, all } = await everyEvent();
    const told: string[] = [];
    for (const name of names) limiter.on(name, () => told.push(name));
    expect(await all()).toEqual(ANSWERS);
    expect(told.slice(0, 6)).toEqual(ORDER);
    expect(told.filter((name) => name === "storageError")).toHaveLength(1);
  });

  it("carry the request and what was decided", async () => {
    const { limiter, all } = await everyEvent();
    const events: Partial<LimiterEvents> = {};
    for (const name of names)
      limiter.on(name, (event) => void Object.assign(events, { [name]: events[name] ?? event }));
    await all();
    expect(events.breach).toMatchObject({
      req: { path: "/none", method: "GET" },
      res: { statusCode: 429 },
      observed: false,
      error: { code: "RATE_LIMIT_EXCEEDED", isMeta: false, message: "0 per 1 minute" },
    });
    expect(events.breach?.error).toBeInstanceOf(RateLimitExceeded);
    expect(events.breach?.error.decision).toMatchObject({
      key: "127.0.0.1",
      scope: "GET /none",
      used: 0,
      remaining: 0,
    });
    expect(events.metaBreach).toMatchObject({ req: { path: "/x" }, error: { isMeta: true, retryAfter: 60 } });
    expect(events.allowed).toMatchObject({
      req: { path: "/x" },
      decision: { scope: "GET /x", allowed: true, used: 1 },
    });
    expect(events.denied).toMatchObject({
      req: { path: "/x" },
      error: { code: "CLIENT_DENIED", key: "192.0.2.1" },
    });
    expect(events.storageError).toMatchObject({ error: { code: "STORAGE" } });
    expect(events.limitError).toMatchObject({ req: { path: "/wrong" }, error: { code: "LIMIT_SYNTAX" } });
  });

  it("tell a breach before the answer goes out, so that a listener may set a header", async () => {
    const { app, limiter } = limitedApp(express);
    limiter.on("breach", ({ res }) => void res.set("x-told", "1"));
    app.get("/x", limiter.limit("0/minute"), ok);
    const server = await serve(app);
    expect((await server.get("/x")).headers["x-told"]).toBe("1");
  });

  it("are heard by several listeners, once by each, until they are taken off", async () => {
    const { app, limiter } = limitedApp(express);
    const told: string[] = [];
    const one = () => void told.push("one");
    const two = () => void told.push("two");
    expect(limiter.on("breach", one).on("breach", two).on("breach", one)).toBe(limiter);
    app.get("/x", limiter.limit("0/minute"), ok);
    const server = await serve(app);
    await server.get("/x");
    expect(told.splice(0)).toEqual(["one", "two"]);
    expect(limiter.off("breach", one)).toBe(limiter);
    limiter.off("metaBreach", two);
    await server.get("/x");
    expect(told).toEqual(["two"]);
  });

  it("stand it when a listener takes itself off, or puts others on", async () => {
    const { app, limiter } = limitedApp(express);
    const told: string[] = [];
    const again = () => {
      told.push("again");
      limiter.off("breach", again).on("breach", again);
    };
    limiter.on("breach", again);
    app.get("/x", limiter.limit("0/minute"), ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([NO, NO]);
    expect(told).toEqual(["again", "again"]);
  });

  it.each<[string, unknown, unknown]>([
    ["a name that there is not", "breech", () => {}],
    ["no name", undefined, () => {}],
    ["a name that objects have", "toString", () => {}],
    ["no listener", "breach", undefined],
    ["no function", "breach", {}],
  ])("refuse %s", (_what, name, listener) => {
    const { limiter } = limitedApp(express);
    expect(() => limiter.on(name as "breach", listener as () => void)).toThrow(ConfigurationError);
  });
});

describe("a listener that fails", () => {
  const failures: [string, () => unknown][] = [
    [
      "throws",
      () => {
        throw new Error("listener");
      },
    ],
    ["rejects", () => Promise.reject(new Error("listener"))],
    [
      "rejects later",
      async () => {
        await new Promise(setImmediate);
        throw new Error("listener");
      },
    ],
    [
      "throws nothing",
      () => {
        throw undefined;
      },
    ],
    [
      "returns a thenable that throws",
      () =>
        new Proxy(Promise.resolve(), {
          get() {
            throw new Error("listener");
          },
        }),
    ],
  ];

  it.each(failures)("%s: changes no answer, and the logger hears of it", async (_how, listener) => {
    const { limiter, all, logged } = await everyEvent();
    const told: string[] = [];
    for (const name of names) limiter.on(name, listener);
    for (const name of names) limiter.on(name, () => void told.push(name));
    expect(await all()).toEqual(ANSWERS);
    expect(told.slice(0, 6)).toEqual(ORDER);
    await vi.waitFor(() => {
      const about = logged.filter(([message]) => String(message).includes("listener"));
      expect(about.length).toBeGreaterThanOrEqual(6);
    });
  });

  it("never comes back: changes no answer", async () => {
    const { limiter, all } = await everyEvent();
    for (const name of names) limiter.on(name, () => new Promise(() => {}));
    expect(await all()).toEqual(ANSWERS);
  });

  it("changes no answer, though the logger fails as well", async () => {
    const fail = () => {
      throw new Error("logger");
    };
    const { app, limiter } = limitedApp(express, { logger: { warn: fail, error: fail } });
    limiter.on("breach", fail).on("allowed", () => Promise.reject(new Error("listener")));
    app.get("/x", limiter.limit("1/minute"), ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });
});

describe("diagnostics channels", () => {
  it("carry every event, of every limiter, without a listener", async () => {
    const { all } = await everyEvent();
    const told: string[] = [];
    for (const name of names) {
      const subscriber = (): void => void told.push(name);
      channel(`express-limits.${name}`).subscribe(subscriber);
      onTestFinished(() => void channel(`express-limits.${name}`).unsubscribe(subscriber));
    }
    expect(await all()).toEqual(ANSWERS);
    expect(told.slice(0, 6)).toEqual(ORDER);
  });

  it("carry what listeners get", async () => {
    const { app, limiter } = limitedApp(express);
    const seen: unknown[] = [];
    const subscriber = (event: unknown): void => void seen.push(event);
    channel("express-limits.breach").subscribe(subscriber);
    onTestFinished(() => void channel("express-limits.breach").unsubscribe(subscriber));
    limiter.on("breach", (event) => void seen.push(event));
    app.get("/x", limiter.limit("0/minute"), ok);
    const server = await serve(app);
    await server.get("/x");
    expect(seen).toHaveLength(2);
    expect(seen[0]).toBe(seen[1]);
  });

  it("cost nothing where nobody listens: no decision is made up for an event", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", limiter.limit("9/minute"), ok);
    const server = await serve(app);
    expect((await server.get("/x")).status).toBe(OK);
    expect(channel("express-limits.allowed").hasSubscribers).toBe(false);
  });
});

describe("the events of a storage", () => {
  it("tell its loss once and its return once", async () => {
    const { app, limiter, storage } = await failing();
    const told: string[] = [];
    limiter.on("storageError", ({ error }) => void told.push(error.code));
    limiter.on("storageRecovered", () => void told.push("recovered"));
    const server = await serve(app);
    storage.fail();
    expect(await server.statuses(6, "/x")).toEqual(Array(6).fill(503));
    expect(told).toEqual(["STORAGE"]);
    storage.heal();
    await vi.waitFor(() => expect(told).toEqual(["STORAGE", "recovered"]), { timeout: 5000 });
    expect((await server.get("/x")).status).toBe(OK);
  });

  async function failing(): Promise<{ app: express.Express; limiter: Limiter; storage: FaultyStorage }> {
    const storage = new FaultyStorage(new MemoryStorage());
    const made = limitedApp(express, { storage });
    onTestFinished(() => made.limiter.close());
    made.app.get("/x", made.limiter.limit("99/minute"), ok);
    return { ...made, storage };
  }
});
