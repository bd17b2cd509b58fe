import express, { type Request } from "express";
import {
  byHeader,
  ConfigurationError,
  type LimitDecision,
  loginGuard,
  MemoryStorage,
  remoteAddress,
} from "express-limits";
import { FaultyStorage, ManualClock } from "express-limits/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../helpers/http.js";
import { limitedApp, ok, START } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

const rows = (decisions: readonly LimitDecision[]): string[] =>
  decisions.map(({ scope, used, limit }) => `${scope}: ${used} of ${limit}`);

const from = (address: string, user?: string): Record<string, string> => ({
  "x-forwarded-for": address,
  ...(user === undefined ? {} : { "x-user": user }),
});

/** Addresses come from a header; `/user` counts by user. */
async function served() {
  const made = limitedApp(express, { defaultLimits: "5/minute", applicationLimits: "50/hour" });
  const { app, limiter } = made;
  app.set("trust proxy", true);
  app.get("/x", ok);
  app.get("/user", limiter.limit("3/minute", { keyFunc: byHeader("x-user") }), ok);
  app.get("/both", limiter.limit("4/minute"), limiter.limit("4/minute", { keyFunc: byHeader("x-user") }), ok);
  app.get("/me", limiter.exempt, async (req, res) => {
    res.json(rows(await limiter.peek(req)));
  });
  app.get("/forget", limiter.exempt, async (req, res) => {
    await limiter.clear(req, { scope: req.query["scope"] as string | undefined });
    res.send("forgotten");
  });
  return { ...made, server: await serve(app) };
}

describe("peek", () => {
  it("tells every counter that a client has used, and charges nothing", async () => {
    const { server, limiter } = await served();
    await server.get("/x", from("192.0.2.1"));
    await server.get("/user", from("192.0.2.1", "ann"));
    await server.get("/user", from("192.0.2.1", "bob"));
    for (let i = 0; i < 2; i++) {
      expect(rows(await limiter.peek("192.0.2.1"))).toEqual([
        "application: 3 of 50 per 1 hour",
        "/x: 1 of 5 per 1 minute",
      ]);
      expect(rows(await limiter.peek("ann"))).toEqual(["GET /user: 1 of 3 per 1 minute"]);
    }
    expect(await limiter.peek("192.0.2.2")).toEqual([]);
  });

  it("tells what remains, until when, and whether the next would pass", async () => {
    const { server, limiter, clock } = await served();
    for (let i = 0; i < 3; i++) await server.get("/user", from("192.0.2.1", "ann"));
    clock.advance(20_000);
    expect(await limiter.peek("ann")).toMatchObject([
      {
        key: "ann",
        scope: "GET /user",
        allowed: false,
        used: 3,
        remaining: 0,
        retryAfterMs: 40_000,
        resetAt: START + 60_000,
      },
    ]);
    clock.advance(40_000);
    expect(await limiter.peek("ann")).toEqual([]);
  });

  it("takes a request: everyone that it would be counted as", async () => {
    const { server } = await served();
    await server.get("/x", from("192.0.2.1"));
    await server.get("/user", from("192.0.2.1", "ann"));
    await server.get("/user", from("192.0.2.9", "bob"));
    const { body } = await server.get("/me", from("192.0.2.1", "ann"));
    expect(JSON.parse(body)).toEqual([
      "application: 2 of 50 per 1 hour",
      "/x: 1 of 5 per 1 minute",
      "GET /user: 1 of 3 per 1 minute",
    ]);
  });

  it.each([
    [
      "192.0.2.1",
      ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:201", "[::ffff:192.0.2.1]:443", "192.0.2.1:80"],
    ],
    [
      "2001:db8:0:12ff::1",
      ["2001:db8:0:12ff::1", "2001:DB8:0:1234::99", "2001:db8:0000:1200::/56", "[2001:db8:0:1201::]:8080"],
    ],
  ])("finds %s under any spelling", async (address, spellings) => {
    const { server, limiter } = await served();
    await server.get("/x", from(address));
    for (const spelling of spellings) {
      expect([spelling, ...rows(await limiter.peek(spelling, { scope: "/x" }))]).toEqual([
        spelling,
        "/x: 1 of 5 per 1 minute",
      ]);
    }
  });

  it.each([64, 48, 128])(
    "finds an address that is counted by /%i, and the key itself",
    async (ipv6Subnet) => {
      const keys: string[] = [];
      const keyFunc = remoteAddress({ ipv6Subnet });
      const { app, limiter } = limitedApp(express, { defaultLimits: "5/minute", keyFunc });
      app.set("trust proxy", true);
      app.get("/x", (req: Request, res) => {
        keys.push(keyFunc(req));
        res.send();
      });
      const server = await serve(app);
      await server.get("/x", from("2001:db8:1:2:3:4:5:6"));
      for (const client of ["2001:db8:1:2:3:4:5:6", ...keys]) {
        expect([client, ...rows(await limiter.peek(client))]).toEqual([client, "/x: 1 of 5 per 1 minute"]);
      }
    },
  );

  it("finds whoever is counted by address because there was no key", async () => {
    const { server, limiter } = await served();
    await server.get("/user", from("192.0.2.1"));
    expect(rows(await limiter.peek("192.0.2.1", { scope: "GET /user" }))).toEqual([
      "GET /user: 1 of 3 per 1 minute",
    ]);
  });

  it("knows two limits of one text on one route that count different clients", async () => {
    const { server, limiter } = await served();
    await server.get("/both", from("192.0.2.1", "ann"));
    await server.get("/both", from("192.0.2.1", "bob"));
    expect(rows(await limiter.peek("192.0.2.1", { scope: "GET /both" }))).toEqual([
      "GET /both: 2 of 4 per 1 minute",
    ]);
    expect(rows(await limiter.peek("ann"))).toEqual(["GET /both: 1 of 4 per 1 minute"]);
    expect(JSON.parse((await server.get("/me", from("192.0.2.1", "ann"))).body)).toEqual([
      "application: 2 of 50 per 1 hour",
      "GET /both: 2 of 4 per 1 minute",
      "GET /both: 1 of 4 per 1 minute",
    ]);
  });

  it("can be asked for one scope only", async () => {
    const { server, limiter } = await served();
    await server.get("/x", from("192.0.2.1"));
    expect(rows(await limiter.peek("192.0.2.1", { scope: "/x" }))).toEqual(["/x: 1 of 5 per 1 minute"]);
    expect(await limiter.peek("192.0.2.1", { scope: "/nothing" })).toEqual([]);
  });

  it("works with every strategy", async () => {
    const { app, limiter } = limitedApp(express);
    for (const strategy of [
      "fixed-window",
      "moving-window",
      "sliding-window-counter",
      "token-bucket",
    ] as const) {
      app.get(`/${strategy}`, limiter.limit("5/minute", { strategy }), ok);
    }
    const server = await serve(app);
    for (const { path } of [
      { path: "/fixed-window" },
      { path: "/moving-window" },
      { path: "/sliding-window-counter" },
      { path: "/token-bucket" },
    ]) {
      await server.statuses(2, path);
      expect(rows(await limiter.peek("127.0.0.1", { scope: `GET ${path}` }))).toEqual([
        `GET ${path}: 2 of 5 per 1 minute`,
      ]);
    }
  });

  it("fails when the storage does", async () => {
    const storage = new FaultyStorage(new MemoryStorage());
    const { app, limiter } = limitedApp(express, { storage, defaultLimits: "5/minute" });
    onTestFinished(() => limiter.close());
    app.get("/x", ok);
    const server = await serve(app);
    await server.get("/x");
    storage.fail();
    await expect(limiter.peek("127.0.0.1")).rejects.toMatchObject({ code: "STORAGE" });
    await expect(limiter.clear("127.0.0.1")).rejects.toMatchObject({ code: "STORAGE" });
    await expect((async () => limiter.reset())()).rejects.toMatchObject({ code: "STORAGE" });
  });
});

describe("clear", () => {
  it("forgets one client, and no other", async () => {
    const { server, limiter } = await served();
    for (const address of ["192.0.2.1", "192.0.2.2"]) {
      for (let i = 0; i < 5; i++) await server.get("/x", from(address));
    }
    await limiter.clear("192.0.2.1");
    expect(await limiter.peek("192.0.2.1")).toEqual([]);
    expect((await server.get("/x", from("192.0.2.1"))).status).toBe(OK);
    expect((await server.get("/x", from("192.0.2.2"))).status).toBe(NO);
  });

  it.each(["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"])(
    "takes an address in any spelling: %s",
    async (spelling) => {
      const { server, limiter } = await served();
      for (let i = 0; i < 5; i++) await server.get("/x", from("192.0.2.1"));
      await limiter.clear(spelling);
      expect((await server.get("/x", from("192.0.2.1"))).status).toBe(OK);
    },
  );

  it("takes a key, and leaves the address alone", async () => {
    const { server, limiter } = await served();
    for (let i = 0; i < 3; i++) await server.get("/user", from("192.0.2.1", "ann"));
    expect((await server.get("/user", from("192.0.2.1", "ann"))).status).toBe(NO);
    await limiter.clear("ann");
    expect((await server.get("/user", from("192.0.2.1", "ann"))).status).toBe(OK);
    expect(rows(await limiter.peek("192.0.2.1"))).toEqual(["application: 4 of 50 per 1 hour"]);
  });

  it("takes a request, and a scope", async () => {
    const { server } = await served();
    for (let i = 0; i < 5; i++) await server.get("/x", from("192.0.2.1", "ann"));
    for (let i = 0; i < 3; i++) await server.get("/user", from("192.0.2.1", "ann"));
    await server.get("/forget?scope=GET%20/user", from("192.0.2.1", "ann"));
    expect((await server.get("/x", from("192.0.2.1", "ann"))).status).toBe(NO);
    expect((await server.get("/user", from("192.0.2.1", "ann"))).status).toBe(OK);
    await server.get("/forget", from("192.0.2.1", "ann"));
    expect((await server.get("/x", from("192.0.2.1", "ann"))).status).toBe(OK);
  });

  it("takes the number that a key function returns", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", limiter.limit("1/minute", { keyFunc: () => 42 }), ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect(rows(await limiter.peek(42))).toEqual(["GET /x: 1 of 1 per 1 minute"]);
    await limiter.clear(42);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    await limiter.clear(42n);
    expect(await server.statuses(1, "/x")).toEqual([OK]);
  });

  it("takes nobody else, and no filter that does not exist: it would forget too little, or too much", async () => {
    const { limiter } = limitedApp(express);
    for (const client of [undefined, null, true]) {
      await expect(limiter.clear(client as never)).rejects.toThrow(`got ${client}`);
      await expect(limiter.peek(client as never)).rejects.toThrow(ConfigurationError);
    }
    await expect(limiter.clear("ann", { scop: "x" } as never)).rejects.toThrow('"scope"');
    await expect(limiter.peek("ann", "POST /login" as never)).rejects.toThrow('"POST /login"');
  });

  it("forgets breaches and blocks too", async () => {
    const { app, limiter } = limitedApp(express, { metaLimits: "1/hour" });
    app.get("/x", limiter.limit("1/minute", { block: "5m" }), ok);
    app.get("/y", limiter.limit("1/minute", { metaLimits: "1/day" }), ok);
    const server = await serve(app);
    for (const path of ["/x", "/y"]) {
      expect(await server.statuses(3, path)).toEqual([OK, NO, NO]);
      await limiter.clear("127.0.0.1");
      expect((await server.get(path)).status).toBe(OK);
      await limiter.clear("127.0.0.1");
    }
  });

  it("after a login lets the client start anew", async () => {
    const { app, limiter } = limitedApp(express);
    app.post("/login", express.json(), ...loginGuard(limiter), async (req, res) => {
      res.sendStatus(req.body.password === "right" ? 200 : 401);
    });
    const server = await serve(app);
    const login = async (password: string) => {
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ username: "ann", password });
      return (await server.send("POST", "/login", { headers, body })).status;
    };
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 4; i++) expect(await login("wrong")).toBe(401);
      expect(await login("right")).toBe(OK);
    }
  });
});

describe("reset", () => {
  it("forgets everybody, under this prefix", async () => {
    const storage = new MemoryStorage({ clock: new ManualClock(START) });
    const make = async (keyPrefix: string) => {
      const { app, limiter } = limitedApp(express, {
        storage,
        keyPrefix,
        defaultLimits: "1/minute",
        metaLimits: "9/hour",
      });
      app.set("trust proxy", true);
      app.get("/x", limiter.limit("1/minute", { block: "1h" }), ok);
      return { limiter, server: await serve(app) };
    };
    const [shop, blog] = [await make("shop"), await make("shop2")];
    for (const { server } of [shop, blog]) {
      for (const address of ["192.0.2.1", "192.0.2.2"]) {
        await server.get("/x", from(address));
        expect((await server.get("/x", from(address))).status).toBe(NO);
      }
    }
    await shop.limiter.reset();
    for (const address of ["192.0.2.1", "192.0.2.2"]) {
      expect((await shop.server.get("/x", from(address))).status).toBe(OK);
      expect((await blog.server.get("/x", from(address))).status).toBe(NO);
    }
  });
});
