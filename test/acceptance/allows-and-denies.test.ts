import express, { type Request } from "express";
import { ConfigurationError, type LimiterOptions, type ListEntry, MemoryStorage } from "express-limits";
import { FaultyStorage, ManualClock } from "express-limits/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../helpers/http.js";
import { errorSink, limitedApp, ok, START } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const DENIED = 403;
const NO = 429;

expectNoUnhandledRejections();

const from = (address: string): Record<string, string> => ({ "x-forwarded-for": address });

async function served(options: LimiterOptions) {
  const made = limitedApp(express, { defaultLimits: "1/minute", ...options });
  const { app, limiter } = made;
  app.set("trust proxy", true);
  const { errors, handler } = errorSink();
  app.get("/x", ok);
  app.get("/own", limiter.limit("1/minute"), ok);
  app.get("/free", limiter.exempt, ok);
  app.use(handler);
  const server = await serve(app);
  const status = async (address: string, path = "/x") => (await server.get(path, from(address))).status;
  return { ...made, errors, server, status };
}

/** Entries, who they mean, and who stands right beside them. */
const entries: readonly { entry: ListEntry; meant: string[]; not: string[] }[] = [
  {
    entry: "192.0.2.1",
    meant: ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:C000:0201"],
    not: ["192.0.2.2", "192.0.2.10"],
  },
  { entry: "::ffff:192.0.2.1", meant: ["192.0.2.1", "::ffff:c000:201"], not: ["192.0.2.2"] },
  {
    entry: "10.0.0.0/8",
    meant: ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
    not: ["9.255.255.255", "11.0.0.0"],
  },
  { entry: "10.1.2.3/8", meant: ["10.9.9.9"], not: ["11.1.2.3"] },
  { entry: "192.0.2.128/25", meant: ["192.0.2.128", "192.0.2.255"], not: ["192.0.2.127", "192.0.3.128"] },
  { entry: "192.0.2.7/32", meant: ["192.0.2.7"], not: ["192.0.2.6", "192.0.2.8"] },
  { entry: "0.0.0.0/0", meant: ["0.0.0.0", "255.255.255.255", "::ffff:8.8.8.8"], not: ["::", "2001:db8::1"] },
  {
    entry: "::ffff:10.0.0.0/104",
    meant: ["10.0.0.1", "::ffff:10.255.0.1"],
    not: ["11.0.0.1", "2001:db8::1"],
  },
  {
    entry: "2001:db8::1",
    meant: ["2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:db8::0001"],
    not: ["2001:db8::2"],
  },
  { entry: "2001:DB8::/32", meant: ["2001:db8::1", "2001:db8:ffff::"], not: ["2001:db9::", "32.1.13.184"] },
  { entry: "2001:db8:0:1200::/56", meant: ["2001:db8:0:12ff::1"], not: ["2001:db8:0:1300::"] },
  { entry: "2001:db8::1/128", meant: ["2001:db8::1"], not: ["2001:db8::"] },
  { entry: "::/0", meant: ["::1", "2001:db8::1"], not: ["192.0.2.1"] },
  { entry: (req: Request) => req.ip === "192.0.2.1", meant: ["192.0.2.1"], not: ["192.0.2.2"] },
  { entry: async (req: Request) => req.ip === "192.0.2.1", meant: ["192.0.2.1"], not: ["192.0.2.2"] },
  { entry: { who: "192.0.2.0/24" }, meant: ["192.0.2.1"], not: ["192.0.3.1"] },
];

describe("denyList", () => {
  it.each(entries)("$entry", async ({ entry, meant, not }) => {
    const { status } = await served({ denyList: ["198.51.100.99", entry] });
    for (const address of meant) expect([address, await status(address)]).toEqual([address, DENIED]);
    for (const address of not) expect([address, await status(address, "/free")]).toEqual([address, OK]);
  });

  it("refuses before anything is counted, wherever the client goes", async () => {
    const storage = new FaultyStorage(new MemoryStorage());
    const { status, limiter } = await served({ storage, denyList: ["192.0.2.1"], metaLimits: "1/hour" });
    for (const path of ["/x", "/own", "/free", "/nothing"]) {
      expect([path, await status("192.0.2.1", path)]).toEqual([path, DENIED]);
    }
    expect(storage.calls.hit).toBe(0);
    expect(await limiter.peek("192.0.2.1")).toEqual([]);
  });

  it.each([
    ["text/html", "text/html; charset=utf-8", /<h1>Forbidden<\/h1>/],
    ["application/json", "application/json; charset=utf-8", /^{"title":"Forbidden","status":403}$/],
    ["application/problem+json", "application/problem+json; charset=utf-8", /"status":403/],
    ["text/plain", "text/plain; charset=utf-8", /^Forbidden$/],
    ["image/png", "text/plain; charset=utf-8", /^Forbidden$/],
  ])("answers what the client accepts: %s", async (accept, type, body) => {
    const { server } = await served({ denyList: ["127.0.0.1"] });
    const answer = await server.get("/x", { accept });
    expect([answer.status, answer.headers["content-type"], answer.headers["cache-control"]]).toEqual([
      DENIED,
      type,
      "no-store",
    ]);
    expect(answer.body).toMatch(body);
    expect(answer.headers).not.toHaveProperty("retry-after");
    expect(answer.headers).not.toHaveProperty("x-ratelimit-limit");
  });

  it("tells who was denied", async () => {
    const { status, limiter } = await served({ denyList: ["192.0.2.0/24"] });
    const told: unknown[] = [];
    limiter.on("denied", ({ req, error }) =>
      told.push([req.path, error.key, error.status, error.code, error.retryAfterMs]),
    );
    await status("::ffff:192.0.2.7");
    expect(told).toEqual([["/x", "192.0.2.7", 403, "CLIENT_DENIED", Number.POSITIVE_INFINITY]]);
  });

  it("hands a ClientDenied on with passBreachToNext", async () => {
    const { status, errors } = await served({ denyList: ["192.0.2.1"], passBreachToNext: true });
    expect(await status("192.0.2.1")).toBe(DENIED);
    expect(errors).toEqual([expect.objectContaining({ code: "CLIENT_DENIED", expose: true })]);
  });

  it("hands on what a function throws, and lets nobody pass by it", async () => {
    const { status, errors } = await served({
      denyList: [
        () => {
          throw new Error("no list");
        },
      ],
    });
    expect(await status("192.0.2.1")).toBe(500);
    expect(errors).toEqual([new Error("no list")]);
  });

  it("takes keys as the key function returns them", async () => {
    const { server } = await served({ denyList: ["mallory", "42"], keyFunc: (req) => req.get("x-user") });
    expect((await server.get("/x", { "x-user": "mallory" })).status).toBe(DENIED);
    expect((await server.get("/x", { "x-user": "42" })).status).toBe(DENIED);
    expect((await server.get("/x", { "x-user": "ann" })).status).toBe(OK);
    expect((await server.get("/x", { "x-user": "Mallory" })).status).toBe(OK);
  });

  it("asks the key function only when there are keys to compare, and once", async () => {
    let asked = 0;
    const keyFunc = (): string => {
      asked++;
      return "ann";
    };
    const plain = await served({ denyList: ["192.0.2.9"], keyFunc, defaultLimits: [] });
    await plain.status("192.0.2.1", "/free");
    expect(asked).toBe(0);
    const keyed = await served({ denyList: ["mallory"], allowList: ["bob"], keyFunc, defaultLimits: [] });
    await keyed.status("192.0.2.1", "/free");
    expect(asked).toBe(1);
  });
});

describe("allowList", () => {
  it.each(entries)("$entry", async ({ entry, meant, not }) => {
    const { status } = await served({ allowList: ["198.51.100.99", entry], applicationLimits: "0/hour" });
    for (const address of meant) expect([address, await status(address)]).toEqual([address, OK]);
    for (const address of not) expect([address, await status(address)]).toEqual([address, NO]);
  });

  it("lifts everything, and claims no numbers in headers", async () => {
    const { server } = await served({
      allowList: ["127.0.0.1"],
      metaLimits: "1/hour",
      applicationLimits: "1/minute",
    });
    for (const path of ["/x", "/own"]) expect(await server.statuses(4, path)).toEqual([OK, OK, OK, OK]);
    expect((await server.get("/x")).headers).not.toHaveProperty("x-ratelimit-limit");
  });

  it("wins over denyList", async () => {
    const { status } = await served({ allowList: ["192.0.2.7"], denyList: ["192.0.2.0/24"] });
    expect(await status("192.0.2.7")).toBe(OK);
    expect(await status("192.0.2.8")).toBe(DENIED);
  });

  it("believes the proxy only where Express does", async () => {
    const { app, server } = await served({ allowList: ["192.0.2.7"] });
    app.set("trust proxy", false);
    expect((await server.get("/x", from("192.0.2.7"))).status).toBe(OK);
    expect((await server.get("/x", from("192.0.2.7"))).status).toBe(NO);
  });
});

describe("an entry that expires", () => {
  it.each([
    ["a date", new Date(START + 60_000)],
    ["milliseconds", START + 60_000],
  ])("is in force until then: %s", async (_what, until) => {
    const { status, clock, limiter } = await served({ denyList: [{ who: "192.0.2.1", until }] });
    const waits: number[] = [];
    limiter.on("denied", ({ error }) => waits.push(error.retryAfterMs));
    expect(await status("192.0.2.1")).toBe(DENIED);
    clock.advance(59_999);
    expect(await status("192.0.2.1")).toBe(DENIED);
    clock.advance(1);
    expect(await status("192.0.2.1")).toBe(OK);
    expect(waits).toEqual([60_000, 1]);
  });

  it("may be a function or a network", async () => {
    const until = START + 1000;
    const { status, clock } = await served({
      denyList: [
        { who: (req) => req.ip === "192.0.2.1", until },
        { who: "198.51.100.0/24", until: until + 1000 },
      ],
    });
    expect([await status("192.0.2.1"), await status("198.51.100.1")]).toEqual([DENIED, DENIED]);
    clock.advance(1000);
    expect([await status("192.0.2.1"), await status("198.51.100.1")]).toEqual([OK, DENIED]);
    clock.advance(1000);
    expect(await status("198.51.100.1")).toBe(OK);
  });

  it("that is over already is none", async () => {
    const { status } = await served({ denyList: [{ who: "192.0.2.1", until: START }] });
    expect(await status("192.0.2.1")).toBe(OK);
  });
});

describe("allow, deny and unlist at run time", () => {
  it("are in force at once", async () => {
    const { status, limiter } = await served({});
    expect([await status("192.0.2.1"), await status("192.0.2.1")]).toEqual([OK, NO]);
    await limiter.allow("192.0.2.0/24");
    expect(await status("192.0.2.1")).toBe(OK);
    await limiter.unlist("192.0.2.0/24");
    expect(await status("192.0.2.1")).toBe(NO);
    await limiter.deny("192.0.2.1");
    expect(await status("192.0.2.1")).toBe(DENIED);
    await limiter.unlist("192.0.2.1");
    expect(await status("192.0.2.1")).toBe(NO);
  });

  it.each(["1m", 60_000])("hold for so long: %j", async (howLong) => {
    const { status, limiter, clock } = await served({});
    await limiter.deny("192.0.2.1", { for: howLong });
    clock.advance(59_999);
    expect(await status("192.0.2.1")).toBe(DENIED);
    clock.advance(1);
    expect(await status("192.0.2.1")).toBe(OK);
  });

  it("take an entry in any spelling, on and off", async () => {
    const { status, limiter } = await served({});
    await limiter.deny("::FFFF:192.0.2.1");
    await limiter.deny("2001:db8:0::1");
    await limiter.deny("10.1.2.3/8");
    expect([await status("192.0.2.1"), await status("2001:db8::1"), await status("10.0.0.1")]).toEqual(
      Array(3).fill(DENIED),
    );
    await limiter.unlist("192.0.2.1");
    await limiter.unlist("2001:DB8::0001");
    await limiter.unlist("10.0.0.0/8");
    expect([await status("192.0.2.1"), await status("2001:db8::1"), await status("10.0.0.1")]).toEqual(
      Array(3).fill(OK),
    );
  });

  it("replace an earlier entry, longer or shorter", async () => {
    const { status, limiter, clock } = await served({});
    await limiter.deny("192.0.2.1", { for: "1m" });
    await limiter.deny("192.0.2.1");
    clock.advance(60_000);
    expect(await status("192.0.2.1")).toBe(DENIED);
    await limiter.deny("192.0.2.1", { for: "1s" });
    clock.advance(1000);
    expect(await status("192.0.2.1")).toBe(OK);
  });

  it("take keys", async () => {
    const { server, limiter } = await served({ keyFunc: (req) => req.get("x-user") });
    await limiter.deny("mallory");
    expect((await server.get("/x", { "x-user": "mallory" })).status).toBe(DENIED);
    await limiter.unlist("mallory");
    expect((await server.get("/x", { "x-user": "mallory" })).status).toBe(OK);
  });

  it.each(["10.0.0.0/33", "2001:db8::/129", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/8/8", ""])(
    "refuse %j, and go on as before",
    async (entry) => {
      const { status, limiter, clock } = await served({
        denyList: [{ who: "192.0.2.9", until: START + 1000 }],
      });
      await expect(limiter.deny(entry)).rejects.toBeInstanceOf(ConfigurationError);
      await expect(limiter.allow(entry)).rejects.toBeInstanceOf(ConfigurationError);
      clock.advance(1000);
      expect(await status("192.0.2.1")).toBe(OK);
      await limiter.deny("192.0.2.2");
      expect(await status("192.0.2.2")).toBe(DENIED);
    },
  );

  it.each(["soon", -1, 0, Number.NaN, "0s"])("refuse to hold for %j", async (howLong) => {
    const { status, limiter } = await served({});
    await expect(limiter.deny("192.0.2.1", { for: howLong })).rejects.toThrow();
    expect(await status("192.0.2.1")).toBe(OK);
  });

  it("refuse an option that there is not", async () => {
    const { limiter } = await served({});
    await expect(limiter.deny("192.0.2.1", { fro: "1h" } as never)).rejects.toThrow(/for/);
  });
});

describe("sharedLists", () => {
  /** Two processes, so to say: two limiters with one storage. */
  async function two(options: LimiterOptions = {}) {
    const clock = new ManualClock(START);
    const storage = new FaultyStorage(new MemoryStorage({ clock }));
    const make = () => served({ storage, clock, sharedLists: true, ...options });
    const [here, there] = [await make(), await make()];
    onTestFinished(async () => {
      await here.limiter.close();
      await there.limiter.close();
    });
    return { here, there, storage, clock };
  }

  it("carry an entry from one limiter to the other, and off again", async () => {
    const { here, there } = await two();
    await here.limiter.deny("192.0.2.1");
    expect([await here.status("192.0.2.1"), await there.status("192.0.2.1")]).toEqual([DENIED, DENIED]);
    expect(await there.status("192.0.2.2")).toBe(OK);
    await there.limiter.unlist("192.0.2.1");
    expect([await there.status("192.0.2.1"), await here.status("192.0.2.1", "/free")]).toEqual([OK, OK]);
  });

  it("carry allowed ones too, which win", async () => {
    const { here, there } = await two({ applicationLimits: "0/hour" });
    await here.limiter.deny("192.0.2.1");
    await there.limiter.allow("192.0.2.1");
    expect([await here.status("192.0.2.1"), await there.status("192.0.2.1")]).toEqual([OK, OK]);
  });

  it("find an address by any spelling, in any direction", async () => {
    const { here, there } = await two();
    await here.limiter.deny("::ffff:c000:201");
    await here.limiter.deny("2001:DB8:0::1");
    expect([await there.status("192.0.2.1"), await there.status("2001:db8::1")]).toEqual([DENIED, DENIED]);
    expect(await there.status("2001:db8::2")).toBe(OK);
  });

  it("carry keys, apart from addresses that read alike", async () => {
    const { here, there } = await two({ keyFunc: (req) => req.get("x-user") });
    await here.limiter.deny("mallory");
    const as = async (user: string) =>
      (await there.server.get("/x", { ...from("192.0.2.5"), "x-user": user })).status;
    expect([await as("mallory"), await as("ann")]).toEqual([DENIED, OK]);
  });

  it("end everywhere at the same time, and tell how long it is", async () => {
    const { here, there, clock } = await two();
    const waits: number[] = [];
    there.limiter.on("denied", ({ error }) => waits.push(error.retryAfterMs));
    await here.limiter.deny("192.0.2.1", { for: "1m" });
    clock.advance(59_000);
    expect([await here.status("192.0.2.1"), await there.status("192.0.2.1")]).toEqual([DENIED, DENIED]);
    clock.advance(1000);
    expect([await here.status("192.0.2.1"), await there.status("192.0.2.1")]).toEqual([OK, NO]);
    expect(waits).toEqual([1000]);
  });

  it("take a later word for the last: longer or shorter", async () => {
    const { here, there, clock } = await two();
    await here.limiter.deny("192.0.2.1", { for: "1m" });
    await there.limiter.deny("192.0.2.1", { for: "1h" });
    clock.advance(60_000);
    expect([await here.status("192.0.2.1"), await there.status("192.0.2.1")]).toEqual([DENIED, DENIED]);
    await here.limiter.deny("192.0.2.1", { for: "1s" });
    clock.advance(1000);
    expect([await here.status("192.0.2.1"), await there.status("192.0.2.1", "/free")]).toEqual([OK, OK]);
  });

  it("keep networks to the limiter that was told", async () => {
    const { here, there } = await two();
    await here.limiter.deny("192.0.2.0/24");
    expect([await here.status("192.0.2.1"), await there.status("192.0.2.1")]).toEqual([DENIED, OK]);
  });

  it("go on with what this limiter was told while the storage is away", async () => {
    const { here, there, storage } = await two({ swallowErrors: true });
    await here.limiter.deny("192.0.2.1");
    storage.fail();
    expect([await here.status("192.0.2.1"), await there.status("192.0.2.1")]).toEqual([DENIED, OK]);
  });

  it("survive reset, which forgets counters", async () => {
    const { here, there } = await two();
    await here.limiter.deny("192.0.2.1");
    await here.limiter.reset();
    expect([await here.status("192.0.2.1"), await there.status("192.0.2.1")]).toEqual([DENIED, DENIED]);
  });
});

describe("lists are checked at construction", () => {
  it.each<[unknown, string]>([
    ["10.0.0.0/33", "10.0.0.0/33"],
    ["2001:db8::/129", "2001:db8::/129"],
    ["10.0.0.0/-1", "10.0.0.0/-1"],
    ["10.0.0.0/8.5", "10.0.0.0/8.5"],
    ["10.0.0.0/", "10.0.0.0/"],
    ["10.0.0.0/8/8", "10.0.0.0/8/8"],
    ["10.0.0.0/255.0.0.0", "10.0.0.0/255.0.0.0"],
    ["::ffff:10.0.0.0/8", "::ffff:10.0.0.0/8"],
    ["10.0.0/8", "10.0.0/8"],
    ["10.0.0.256/8", "10.0.0.256/8"],
    ["2001:db8:::/32", "2001:db8:::/32"],
    ["", '""'],
    [5, "5"],
    [null, "null"],
    [{ until: START }, "deny"],
    [{ who: "a", until: "tomorrow" }, "deny"],
    [{ who: "a", until: null }, "deny"],
    [{ who: "a", untill: START }, "until"],
  ])("%j is refused", (entry, said) => {
    expect(() => limitedApp(express, { denyList: [entry as ListEntry] })).toThrow(ConfigurationError);
    expect(() => limitedApp(express, { allowList: [entry as ListEntry] })).toThrow(
      said.replace("deny", "allow"),
    );
  });

  it.each(["192.0.2.1", { who: "192.0.2.1" }, new Set(["192.0.2.1"])])("%j is no list", (list) => {
    expect(() => limitedApp(express, { denyList: list as never })).toThrow(/denyList/);
  });

  it("a list of 150,000 addresses is no burden", async () => {
    const denyList = Array.from(
      { length: 150_000 },
      (_, i) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`,
    );
    const { status, limiter } = await served({ denyList });
    const startedAt = performance.now();
    for (let i = 0; i < 20; i++) expect(await status("10.2.0.255")).toBe(DENIED);
    expect(await status("10.200.0.1", "/free")).toBe(OK);
    await limiter.deny("192.0.2.1", { for: "1h" });
    expect(await status("192.0.2.1")).toBe(DENIED);
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });
});
