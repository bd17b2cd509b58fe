import express from "express";
import {
  byHeader,
  byUser,
  ConfigurationError,
  Limiter,
  type LimiterOptions,
  type LimitOptions,
  LimitSyntaxError,
  loginGuard,
  MemoryStorage,
  RateLimit,
  RateLimiter,
  remoteAddress,
  UnsupportedStrategyError,
} from "express-limits";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { limitedApp, ok } from "../helpers/limited-app.js";

const OK = 200;
const NO = 429;

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}

describe("an option that does not exist", () => {
  it.each([
    ["defaultLimit", "defaultLimits"],
    ["DefaultLimits", "defaultLimits"],
    ["keyfunc", "keyFunc"],
    ["headersEnable", "headersEnabled"],
    ["swalowErrors", "swallowErrors"],
    ["storageURI", "storageUri"],
    ["retryafter", "retryAfter"],
  ])("%s is refused, and %s is suggested", (name, meant) => {
    const message = messageOf(() => new Limiter({ [name]: 1 } as LimiterOptions));
    expect(message).toContain(`"${name}"`);
    expect(message).toContain(`"${meant}"`);
  });

  it.each([
    ["exemptwhen", "exemptWhen"],
    ["keyFunction", undefined],
    ["perEndpiont", "perEndpoint"],
    ["costs", "cost"],
    ["method", "methods"],
  ])("%s of a limit is refused", (name, meant) => {
    const message = messageOf(() => new Limiter().limit("1/second", { [name]: 1 } as LimitOptions));
    expect(message).toContain(`"${name}"`);
    if (meant !== undefined) expect(message).toContain(`"${meant}"`);
  });

  it.each([
    ["max", 'limit("100 per 15 minutes")'],
    ["windowMs", 'limit("100 per 15 minutes")'],
    ["limit", 'limit("100 per 15 minutes")'],
    ["skip", "exemptWhen"],
    ["skipSuccessfulRequests", "deductWhen"],
    ["statusCode", "onBreach"],
    ["trustProxy", 'app.set("trust proxy", …)'],
  ])("%s, of another package, is refused with what to write instead", (name, instead) => {
    const options: object = { [name]: 5 };
    for (const define of [() => new Limiter(options), () => new Limiter().limit("1/second", options)]) {
      const message = messageOf(define);
      expect(message).toContain(`"${name}"`);
      expect(message).toContain(instead);
    }
  });

  it.each<[string, (options: object) => unknown]>([
    ["remoteAddress", (options) => remoteAddress(options)],
    ["MemoryStorage", (options) => new MemoryStorage(options)],
    [
      "a memory:// storage",
      (storageOptions) => new Limiter({ storageUri: "memory://", storageOptions: { ...storageOptions } }),
    ],
    ["RateLimiter", (options) => new RateLimiter({ storage: new MemoryStorage(), ...options })],
    ["loginGuard", (options) => loginGuard(new Limiter(), options)],
    ["exempt", (options) => new Limiter().exempt(options)],
  ])("of %s is refused", (_what, define) => {
    expect(messageOf(() => define({ maxkeys: 5 }))).toContain('"maxkeys"');
  });
});

describe("what is no options", () => {
  const limiter = new Limiter();
  it.each<[string, () => unknown]>([
    ["got null", () => new Limiter(null as never)],
    ['got "10/minute"', () => new Limiter("10/minute" as never)],
    ['got "POST"', () => limiter.limit("1/second", "POST" as never)],
    ["got 5", () => limiter.exempt(5 as never)],
    ['got "x"', () => limiter.exempt("x" as never)],
    ["got an object", () => loginGuard({ account: "email" } as never)],
    ["got undefined", () => loginGuard(undefined as never)],
    ["needs a storage", () => new RateLimiter({} as never)],
    ["needs a storage", () => new RateLimiter(undefined as never)],
    ['"minutes"', () => new RateLimit(10, 1, "minutes" as never)],
    ['got "id"', () => byUser("id" as never)],
    ['got "x api key"', () => byHeader("x api key")],
    ["breach, metaBreach", () => limiter.on("refused" as never, () => {})],
  ])("is refused: %s", (said, act) => {
    expect(messageOf(act)).toContain(said);
  });
});

describe("options that say the same thing twice", () => {
  it("refuses a storage beside a URI, which would not count", () => {
    const both = { storage: new MemoryStorage(), storageUri: "memory://" };
    expect(messageOf(() => new Limiter(both))).toContain("either storage or storageUri");
  });

  it.each([
    ["keyFunc", "account"],
    ["deductWhen", "hasFailed"],
    ["scope", '"scope"'],
  ])("refuses %s for the limits of a login guard, which says it itself", (name, instead) => {
    const limitOptions: object = { [name]: () => "x" };
    const message = messageOf(() => loginGuard(new Limiter(), { limitOptions }));
    expect(message).toContain(`"${name}"`);
    expect(message).toContain(instead);
  });

  it("names options of a login guard by their own names", () => {
    expect(messageOf(() => loginGuard(new Limiter(), { hasFailed: 5 as never }))).toContain("hasFailed");
    expect(messageOf(() => loginGuard(new Limiter(), { scope: "" }))).toContain("scope");
  });
});

describe("a bad value", () => {
  const limiterCases: [keyof LimiterOptions, unknown][] = [
    ["enabled", "yes"],
    ["enabled", null],
    ["keyFunc", "ip"],
    ["keyPrefix", ""],
    ["keyPrefix", 5],
    ["defaultLimits", 5],
    ["defaultLimits", null],
    ["defaultLimits", [5]],
    ["applicationLimits", {}],
    ["defaultLimitsPerMethod", 1],
    ["defaultLimitsExemptWhen", true],
    ["defaultLimitsDeductWhen", "no"],
    ["metaLimits", 5],
    ["onMetaBreach", {}],
    ["storage", "redis://localhost"],
    ["storage", {}],
    ["storageUri", 5],
    ["storageUri", "localhost"],
    ["storageUri", "gopher://x"],
    ["storageOptions", 5],
    ["storageTimeout", "soon"],
    ["storageTimeout", 0],
    ["storageTimeout", -1],
    ["storageTimeout", Number.POSITIVE_INFINITY],
    ["strategy", "fixed"],
    ["strategy", "__proto__"],
    ["headersEnabled", "true"],
    ["headerNames", { limit: "X Y" }],
    ["headerNames", { limits: "X" }],
    ["headerNames", { reset: true }],
    ["headerNames", "X"],
    ["retryAfter", "date"],
    ["standardHeaders", true],
    ["standardHeaders", "draft-8"],
    ["failOnFirstBreach", 0],
    ["onBreach", "answer"],
    ["passBreachToNext", "x"],
    ["swallowErrors", 1],
    ["inMemoryFallbackEnabled", "1"],
    ["unmatched", "ignore"],
    ["requestIdentifier", "path"],
    ["clock", 5],
    ["clock", {}],
    ["logger", {}],
  ];
  it.each(limiterCases)("of %s is refused: %j", (name, value) => {
    const message = messageOf(() => new Limiter({ [name]: value } as LimiterOptions));
    // Limits and strategies are named by what they are, all others by their option.
    expect(message.toLowerCase()).toContain(
      name
        .toLowerCase()
        .replace(/limits(cost)?$/, "")
        .slice(0, 7),
    );
  });

  const wantedCases: [keyof LimiterOptions, unknown][] = [
    ["defaultLimitsCost", -1],
    ["defaultLimitsCost", Number.NaN],
    ["applicationLimitsCost", "1"],
    ["inMemoryFallback", 5],
    ["errorMessage", 5],
    ["errorMessage", null],
    ["app", {}],
    ["app", 5],
  ];
  it.each(wantedCases)("of %s is refused by name: %j", (name, value) => {
    expect(messageOf(() => new Limiter({ [name]: value } as LimiterOptions))).toContain(name);
  });

  const limitCases: [keyof LimitOptions, unknown][] = [
    ["name", ""],
    ["name", 5],
    ["keyFunc", {}],
    ["scope", 5],
    ["perEndpoint", 1],
    ["cost", -1],
    ["cost", 1.5],
    ["cost", "2"],
    ["cost", 11],
    ["methods", []],
    ["methods", "GET"],
    ["methods", [5]],
    ["perMethod", "yes"],
    ["exemptWhen", true],
    ["deductWhen", false],
    ["overrideDefaults", 0],
    ["onBreach", {}],
    ["errorMessage", 5],
    ["errorMessage", null],
    ["block", "long"],
    ["block", 0],
    ["strategy", "window"],
    ["burst", 5],
    ["observe", 1],
    ["headers", "no"],
  ];
  it.each(limitCases)("of a limit's %s is refused: %j", (name, value) => {
    expect(messageOf(() => new Limiter().limit("10/second", { [name]: value }))).toContain(name);
  });

  it.each([undefined, null, 5, {}, [], Number.NaN, true])("for a limit is refused: %s", (value) => {
    expect(() => new Limiter().limit(value as never)).toThrow(ConfigurationError);
  });

  it.each(["10 per hor", "", "ten per hour", "1/0 seconds", "-1/second", "1.5/second", ";", "1/second;"])(
    "in a limit's text is an error where it is written: %j",
    (text) => {
      expect(() => new Limiter().limit(text as string)).toThrow(LimitSyntaxError);
      expect(() => new Limiter({ defaultLimits: text as string })).toThrow(LimitSyntaxError);
      expect(() => new Limiter({ inMemoryFallback: text as string })).toThrow(LimitSyntaxError);
    },
  );

  it.each([undefined, "", 5])("for a shared scope is refused: %j", (scope) => {
    expect(messageOf(() => new Limiter().sharedLimit("1/second", { scope: scope as string }))).toContain(
      "scope",
    );
  });

  it("of burst without a token bucket is refused where a function gives the limits, too", () => {
    expect(messageOf(() => new Limiter().limit(() => "1/second", { burst: 5 }))).toContain("burst");
  });

  it("of a strategy that the storage cannot run is refused", () => {
    const storage = Object.assign(Object.create(new MemoryStorage()), { strategies: ["fixed-window"] });
    expect(() => new Limiter({ storage, strategy: "token-bucket" })).toThrow(UnsupportedStrategyError);
    expect(() => new Limiter({ storage }).limit("1/second", { strategy: "token-bucket" })).toThrow(
      UnsupportedStrategyError,
    );
  });

  it.each([0, 129, 56.5, "64"])("of ipv6Subnet is refused: %j", (ipv6Subnet) => {
    expect(messageOf(() => remoteAddress({ ipv6Subnet: ipv6Subnet as number }))).toContain("ipv6Subnet");
  });

  it("of a password stays out of messages", () => {
    for (const uri of ["gopher://user:hunter2@host", "user:hunter2@host", "redis//:hunter2@host"]) {
      expect(messageOf(() => new Limiter({ storageUri: uri }))).not.toContain("hunter2");
    }
  });

  it("of a method that does not exist is refused, since the limit would never hold", () => {
    expect(messageOf(() => new Limiter().limit("1/second", { methods: ["PSOT"] }))).toContain("PSOT");
  });
});

describe("the kill switch", () => {
  it("turns everything off and on at run time", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "2/hour", defaultLimits: "1/hour" });
    app.get("/x", ok);
    app.get("/own", limiter.limit("1/hour"), ok);
    app.get("/check", async (req, res) => {
      await limiter.check(req, res);
      res.send("ok");
    });
    const server = await serve(app);
    limiter.enabled = false;
    for (const path of ["/x", "/own", "/check"]) {
      expect(await server.statuses(3, path)).toEqual([OK, OK, OK]);
      expect((await server.get(path)).headers).not.toHaveProperty("x-ratelimit-limit");
    }
    limiter.enabled = true;
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    limiter.enabled = false;
    expect(await server.statuses(2, "/x")).toEqual([OK, OK]);
  });

  it("is off from the start with enabled: false", async () => {
    const { app, limiter } = limitedApp(express, { enabled: false, defaultLimits: "1/hour" });
    app.get("/x", limiter.limit("1/hour"), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, OK]);
    expect(limiter.enabled).toBe(false);
  });

  it("of one limiter leaves another on", async () => {
    const { app, limiter, clock } = limitedApp(express, { defaultLimits: "1/hour" });
    const other = new Limiter({ clock, defaultLimits: "2/hour" });
    app.use(other.middleware());
    app.get("/x", ok);
    limiter.enabled = false;
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
  });
});

describe("requestFilter", () => {
  it("skips all limits of a request, and is asked once", async () => {
    const { app, limiter } = limitedApp(express, { applicationLimits: "1/hour" });
    let asked = 0;
    limiter.requestFilter(async (req) => {
      asked++;
      return req.headers["x-health"] === "1";
    });
    app.get("/x", limiter.limit("1/hour"), limiter.limit("2/hour"), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x", { "x-health": "1" })).toEqual([OK, OK, OK]);
    expect(asked).toBe(3);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });
});
