import express, { type ErrorRequestHandler, type RequestHandler } from "express";
import { byHeader, Limiter, type LimiterOptions, remoteAddress } from "express-limits";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { errorSink, limitedApp, ok } from "../helpers/limited-app.js";
import { RecordingStorage } from "../helpers/recording-storage.js";

const OK = 200;
const NO = 429;

/** One unit an hour for each key that the given function makes of a request. */
function oneForEach(keyFunc: LimiterOptions["keyFunc"], options: LimiterOptions = {}) {
  const storage = new RecordingStorage();
  const { app, limiter } = limitedApp(express, {
    defaultLimits: "1 per hour",
    keyFunc,
    storage,
    ...options,
  });
  const { errors, handler } = errorSink();
  app.use("/x", ok, handler);
  app.use(handler);
  return { app, limiter, storage, errors };
}

describe("keys", () => {
  const missing: [string, unknown][] = [
    ["undefined", undefined],
    ["null", null],
    ['""', ""],
    ["NaN", Number.NaN],
  ];
  it.each(missing)("of %s fall back to the address, and to no shared bucket", async (_text, value) => {
    const { app, storage } = oneForEach(() => value as string);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect(storage.keys).toEqual([expect.stringContaining("{@127.0.0.1}")]);
  });

  it.each(missing)("of a promise of %s do too", async (_text, value) => {
    const { app, storage } = oneForEach(async () => value as string);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect(storage.keys).toEqual([expect.stringContaining("{@127.0.0.1}")]);
  });

  const odd: [string, unknown][] = [
    ["a list", ["a", "a"]],
    ["an empty list", []],
    ["an object", { toString: () => "ann" }],
    ["a Map", new Map()],
    ["true", true],
    ["false", false],
    ["a symbol", Symbol("ann")],
    ["a function", () => "ann"],
    ["a date", new Date(0)],
  ];
  it.each(odd)("that are %s are an error of the request, never unlimited", async (_text, value) => {
    const { app, errors } = oneForEach(() => value as string);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([500, 500]);
    expect(errors).toHaveLength(2);
    expect(String(errors[0])).toContain("keyFunc");
  });

  it("cannot be made new by repeating a query parameter", async () => {
    const { app } = oneForEach((req) => req.query["k"] as string);
    const server = await serve(app);
    expect(await server.statuses(2, "/x?k=a")).toEqual([OK, NO]);
    for (const query of ["k=a&k=a", "k[]=a", "k[x]=a"]) {
      expect([400, 429, 500, OK]).toContain((await server.get(`/x?${query}`)).status);
      expect((await server.get(`/x?${query}`)).status).not.toBe(OK);
    }
  });

  const apart = [
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "127.0.0.1",
    "@127.0.0.1",
    "a:b",
    "a",
    "a}:default",
    "{a}",
    "a b",
    "a%20b",
    "a%0020b",
    "*",
    "?",
    "[ab]",
    "\r\nSET x 1",
    "é",
    "e\u0301",
    "\u0000",
    "\ud800",
    "😀",
    "#5feceb66",
    "A",
    "0",
    "undefined",
    "null",
    "NaN",
    "x".repeat(120),
    "x".repeat(121),
    `${"x".repeat(1_000_000)}1`,
    `${"x".repeat(1_000_000)}2`,
  ];
  it("of different texts are different clients, however odd", async () => {
    let key = "";
    const { app, storage } = oneForEach(() => key);
    const server = await serve(app);
    for (key of apart)
      expect([key.slice(0, 20), await server.statuses(2, "/x")]).toEqual([key.slice(0, 20), [OK, NO]]);
    expect((await server.get("/x")).status).toBe(NO);
    expect(new Set(storage.keys).size).toBe(apart.length);
    for (const stored of storage.keys) {
      expect(stored).toMatch(/^[\x21-\x7e]+$/);
      expect(stored.length).toBeLessThan(250);
    }
  });

  it("that read like an address are not that address", async () => {
    const { app } = oneForEach(byHeader("x-user"));
    const server = await serve(app);
    expect((await server.get("/x")).status).toBe(OK);
    expect((await server.get("/x", { "x-user": "127.0.0.1" })).status).toBe(OK);
    expect((await server.get("/x")).status).toBe(NO);
  });

  it.each([
    [1, "1"],
    [10n, "10"],
    [0, "0"],
    [1e21, "1e+21"],
  ])("of the number %s count with its text", async (number, text) => {
    const { app } = oneForEach((req) => (req.headers["x-number"] === "1" ? number : text));
    const server = await serve(app);
    expect((await server.get("/x", { "x-number": "1" })).status).toBe(OK);
    expect((await server.get("/x")).status).toBe(NO);
  });

  it.each<[string, () => never | Promise<never>]>([
    [
      "thrown",
      () => {
        throw new Error("no key");
      },
    ],
    ["rejected", () => Promise.reject(new Error("no key"))],
  ])("errors %s in a key function go to the error handlers unchanged", async (_how, keyFunc) => {
    const { app, errors } = oneForEach(keyFunc);
    const server = await serve(app);
    expect((await server.get("/x")).status).toBe(500);
    expect(errors.map((error) => (error as Error).message)).toEqual(["no key"]);
  });

  it.each<[string, () => never | Promise<never>]>([
    ["undefined is rejected", () => Promise.reject()],
    ["null is rejected", () => Promise.reject(null)],
    [
      "undefined is thrown",
      () => {
        throw undefined;
      },
    ],
    ['"route" is rejected', () => Promise.reject("route")],
  ])("a request does not pass unlimited when %s in a key function", async (_how, keyFunc) => {
    const { app } = oneForEach(keyFunc);
    const server = await serve(app);
    expect((await server.get("/x")).status).not.toBe(OK);
  });

  it("a limit whose key function failed counts where the request meets it again", async () => {
    const { app, limiter } = limitedApp(express);
    const failed = new WeakSet<object>();
    const limit = limiter.sharedLimit("1 per hour", {
      scope: "mail",
      keyFunc(req) {
        if (failed.has(req)) return "somebody";
        failed.add(req);
        throw new Error("not yet");
      },
    });
    const goOn: ErrorRequestHandler = (_error, _req, _res, next) => next();
    app.use(limit, goOn);
    app.get("/x", limit, limit, ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, NO, NO]);
  });
});

describe("addresses", () => {
  const from = (app: RequestHandler | ReturnType<typeof express>, address: string) =>
    serve((req, res) => {
      Object.defineProperty(req.socket, "remoteAddress", { value: address, configurable: true });
      (app as (a: unknown, b: unknown) => void)(req, res);
    });

  it.each([
    ["off", false, [OK, NO, NO]],
    ["1 hop", 1, [OK, NO, OK]],
    ["true", true, [OK, OK, OK]],
    ["loopback", "loopback", [OK, NO, OK]],
    ["0 hops", 0, [OK, NO, NO]],
  ])("with trust proxy %s are believed as Express does", async (_text, trust, expected) => {
    const { app } = oneForEach(undefined);
    app.set("trust proxy", trust);
    const server = await serve(app);
    const statuses: number[] = [];
    for (const forwarded of [
      "203.0.113.1, 198.51.100.1",
      "203.0.113.2, 198.51.100.1",
      "203.0.113.3, 198.51.100.2",
    ]) {
      statuses.push((await server.get("/x", { "x-forwarded-for": forwarded })).status);
    }
    expect(statuses).toEqual(expected);
  });

  it("cannot be made up by other headers", async () => {
    const { app } = oneForEach(undefined);
    const server = await serve(app);
    expect((await server.get("/x")).status).toBe(OK);
    for (const name of [
      "x-forwarded-for",
      "x-real-ip",
      "forwarded",
      "cf-connecting-ip",
      "x-client-ip",
      "client-ip",
    ]) {
      expect((await server.get("/x", { [name]: "203.0.113.9" })).status).toBe(NO);
    }
  });

  it.each(["unknown", "_hidden", "", "1.2.3.4.5", "x".repeat(10_000), "999.1.1.1", "::gggg", "1.2.3.355"])(
    "that are none (%.20s) share one bucket",
    async (forwarded) => {
      const { app } = oneForEach(undefined);
      app.set("trust proxy", true);
      const server = await serve(app);
      await server.get("/x", { "x-forwarded-for": "garbage" });
      const { status } = await server.get("/x", { "x-forwarded-for": forwarded });
      // An empty header is no header: then the socket's address counts.
      expect(status).toBe(forwarded === "" ? OK : NO);
    },
  );

  it.each(["203.0.113.7:4711", "::ffff:203.0.113.7", "::FFFF:CB00:7107", "[::ffff:203.0.113.7]:99"])(
    "spelt %s count as 203.0.113.7",
    async (spelling) => {
      const { app } = oneForEach(undefined);
      app.set("trust proxy", true);
      const server = await serve(app);
      expect((await server.get("/x", { "x-forwarded-for": "203.0.113.7" })).status).toBe(OK);
      expect((await server.get("/x", { "x-forwarded-for": "203.0.113.8" })).status).toBe(OK);
      expect((await server.get("/x", { "x-forwarded-for": spelling })).status).toBe(NO);
    },
  );

  it("of IPv4 clients of a server on :: are told apart", async () => {
    const { app, storage } = oneForEach(undefined);
    const server = await serve(app, "::");
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect(storage.keys).toEqual([expect.stringContaining("{@127.0.0.1}")]);
    const mapped = await from(app, "::ffff:198.51.100.7");
    expect((await mapped.get("/x")).status).toBe(OK);
  });

  it.each<[string, number | undefined, string, string, boolean]>([
    ["in one /56", undefined, "2001:db8:1:100::1", "2001:db8:1:1ff:ffff::2", true],
    ["in two /56", undefined, "2001:db8:1:100::1", "2001:db8:1:200::1", false],
    ["in one /64", 64, "2001:db8:1:100::1", "2001:db8:1:100:ffff::2", true],
    ["in two /64", 64, "2001:db8:1:100::1", "2001:db8:1:101::1", false],
    ["that differ in the last bit, at /128", 128, "2001:db8::1", "2001:db8::2", false],
    ["spelt in two ways", 128, "2001:db8::1", "2001:0DB8:0:0:0:0:0:1", true],
    ["with a zone", 128, "fe80::1%eth0", "fe80::1", true],
  ])("of IPv6 %s", async (_text, ipv6Subnet, one, other, areTogether) => {
    const { app } = oneForEach(ipv6Subnet === undefined ? undefined : remoteAddress({ ipv6Subnet }));
    expect((await (await from(app, one)).get("/x")).status).toBe(OK);
    expect((await (await from(app, other)).get("/x")).status).toBe(areTogether ? NO : OK);
  });

  it("are the same whatever stands beside them in one key", async () => {
    const limiter = new Limiter();
    const decisions = await Promise.all(
      ["a:b", "a"].map((key) => limiter.hit("1/hour", key, { scope: key })),
    );
    expect(decisions.map(({ allowed }) => allowed)).toEqual([true, true]);
    expect((await limiter.hit("1/hour", "a", { scope: "b:a" })).allowed).toBe(true);
  });
});
