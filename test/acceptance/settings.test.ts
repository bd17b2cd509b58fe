import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import express from "express";
import { ConfigurationError, Limiter, type LimiterOptions, MemoryStorage } from "express-limits";
import { ManualClock } from "express-limits/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { withSettings } from "../../src/express/settings.js";
import { serve } from "../helpers/http.js";
import { limitedApp, ok, START } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

afterEach(() => {
  vi.unstubAllEnvs();
});

const fn = (): undefined => undefined;

/** Every setting that Flask-Limiter knows and ours: how it is written as text, and the option that it makes. */
const table: readonly [name: string, text: string, option: keyof LimiterOptions, value: unknown][] = [
  ["ENABLED", "false", "enabled", false],
  ["KEY_PREFIX", "shop", "keyPrefix", "shop"],
  ["DEFAULT", "1/second; 2/minute", "defaultLimits", "1/second; 2/minute"],
  ["DEFAULTS_PER_METHOD", "true", "defaultLimitsPerMethod", true],
  ["DEFAULTS_COST", "3", "defaultLimitsCost", 3],
  ["APPLICATION", "9/minute", "applicationLimits", "9/minute"],
  ["APPLICATION_PER_METHOD", "yes", "applicationLimitsPerMethod", true],
  ["APPLICATION_COST", "2", "applicationLimitsCost", 2],
  ["META", "2/hour", "metaLimits", "2/hour"],
  ["STORAGE_URI", "memory://", "storageUri", "memory://"],
  ["STORAGE_OPTIONS", '{"maxKeys": 10}', "storageOptions", { maxKeys: 10 }],
  ["STORAGE_TIMEOUT", "250ms", "storageTimeout", "250ms"],
  ["STRATEGY", "moving-window", "strategy", "moving-window"],
  ["HEADERS_ENABLED", "off", "headersEnabled", false],
  ["HEADER_LIMIT", "X-L", "headerNames", { limit: "X-L" }],
  ["HEADER_REMAINING", "X-R", "headerNames", { remaining: "X-R" }],
  ["HEADER_RESET", "false", "headerNames", { reset: false }],
  ["HEADER_RETRY_AFTER", "X-W", "headerNames", { retryAfter: "X-W" }],
  ["HEADER_RETRY_AFTER_VALUE", "http-date", "retryAfter", "http-date"],
  ["STANDARD_HEADERS", "ietf", "standardHeaders", "ietf"],
  ["FAIL_ON_FIRST_BREACH", "0", "failOnFirstBreach", false],
  ["ERROR_MESSAGE", "slow down", "errorMessage", "slow down"],
  ["PASS_BREACH_TO_NEXT", "on", "passBreachToNext", true],
  ["SWALLOW_ERRORS", "1", "swallowErrors", true],
  ["IN_MEMORY_FALLBACK_ENABLED", "TRUE", "inMemoryFallbackEnabled", true],
  ["IN_MEMORY_FALLBACK", "5/minute", "inMemoryFallback", "5/minute"],
  ["UNMATCHED", "skip", "unmatched", "skip"],
];

/** Those that only code can say. */
const functions: readonly [name: string, option: keyof LimiterOptions][] = [
  ["KEY_FUNC", "keyFunc"],
  ["DEFAULTS_EXEMPT_WHEN", "defaultLimitsExemptWhen"],
  ["DEFAULTS_DEDUCT_WHEN", "defaultLimitsDeductWhen"],
  ["APPLICATION_EXEMPT_WHEN", "applicationLimitsExemptWhen"],
  ["APPLICATION_DEDUCT_WHEN", "applicationLimitsDeductWhen"],
  ["ON_BREACH_CALLBACK", "onBreach"],
  ["ON_META_BREACH_CALLBACK", "onMetaBreach"],
  ["REQUEST_IDENTIFIER", "requestIdentifier"],
];

describe("a setting", () => {
  it.each(table)("RATELIMIT_%s=%s", (name, text, option, value) => {
    expect(withSettings({}, {}, { [`RATELIMIT_${name}`]: text })).toEqual({ [option]: value });
    expect(withSettings({}, { [`RATELIMIT_${name}`]: text }, {})).toEqual({ [option]: value });
    expect(withSettings({}, { [`RATELIMIT_${name}`]: value }, {})).toMatchObject(
      option === "headerNames" ? {} : { [option]: value },
    );
    // What it makes is an option that the limiter takes.
    vi.stubEnv(`RATELIMIT_${name}`, text);
    expect(() => new Limiter()).not.toThrow();
  });

  it.each(functions)("RATELIMIT_%s is a function: on the app, never in the environment", (name, option) => {
    expect(withSettings({}, { [`RATELIMIT_${name}`]: fn }, {})).toEqual({ [option]: fn });
    expect(() => withSettings({}, {}, { [`RATELIMIT_${name}`]: "fn" })).toThrow(
      `Limiter: RATELIMIT_${name} is a function and cannot come from the environment.`,
    );
  });

  it("of limits may be a function or a list on the app", () => {
    const settings = {
      RATELIMIT_DEFAULT: ["1/second", fn],
      RATELIMIT_APPLICATION: fn,
      RATELIMIT_DEFAULTS_COST: fn,
      RATELIMIT_META: ["1/hour"],
    };
    expect(withSettings({}, settings, {})).toEqual({
      defaultLimits: ["1/second", fn],
      applicationLimits: fn,
      defaultLimitsCost: fn,
      metaLimits: ["1/hour"],
    });
  });

  it.each([
    ["true", true],
    ["1", true],
    ["yes", true],
    ["on", true],
    ["On", true],
    [" TRUE ", true],
    ["false", false],
    ["0", false],
    ["no", false],
    ["off", false],
  ])("that is yes or no may be written %j", (text, value) => {
    expect(withSettings({}, {}, { RATELIMIT_ENABLED: text })).toEqual({ enabled: value });
  });

  it.each([
    ["ENABLED", "maybe", "true/false"],
    ["ENABLED", "2", "true/false"],
    ["STORAGE_OPTIONS", "{maxKeys: 1}", "JSON"],
    ["DEFAULTS_COST", "many", "RATELIMIT_DEFAULTS_COST"],
    ["APPLICATION_COST", "1.5", "1.5"],
    ["STRATEGY", "sliding_window", "sliding_window"],
    ["DEFAULT", "10 per hor", "hour"],
    ["META", "often", "often"],
    ["STORAGE_URI", "rediss//", "scheme"],
    ["STORAGE_TIMEOUT", "soon", "soon"],
    ["HEADER_LIMIT", "X Limit", "X Limit"],
    ["HEADER_RETRY_AFTER_VALUE", "seconds", "seconds"],
    ["STANDARD_HEADERS", "draft-8", "draft-8"],
    ["UNMATCHED", "ignore", "ignore"],
    ["IN_MEMORY_FALLBACK", "-1/second", "-1"],
  ])("RATELIMIT_%s=%s fails at the start, and says why", (name, text, said) => {
    vi.stubEnv(`RATELIMIT_${name}`, text);
    expect(() => new Limiter()).toThrow(said);
  });

  it("that is empty, or undefined, is none", () => {
    expect(withSettings({}, { RATELIMIT_META: undefined }, { RATELIMIT_DEFAULT: "" })).toEqual({});
  });

  it.each([
    ["RATELIMIT_DEFUALT", "RATELIMIT_DEFAULT"],
    ["RATELIMIT_HEADER_ENABLED", "RATELIMIT_HEADERS_ENABLED"],
    ["RATELIMIT_STORAGE_URL", "RATELIMIT_STORAGE_URI"],
    ["RATELIMIT_ENABLE", "RATELIMIT_ENABLED"],
  ])("that is misspelt, %s, is an error that names the right one", (wrong, right) => {
    for (const settings of [{ [wrong]: "x" }]) {
      expect(() => withSettings({}, settings, {})).toThrow(`"${wrong}". Did you mean "${right}"?`);
      expect(() => withSettings({}, {}, settings)).toThrow(`"${wrong}". Did you mean "${right}"?`);
    }
  });

  it("of somebody else is left alone in the environment, and is an error on the app", () => {
    const others = { RATELIMIT_SOMETHING_OF_NGINX: "1", PATH: "/bin" };
    expect(withSettings({}, {}, others)).toEqual({});
    expect(() => withSettings({}, { RATELIMIT_SOMETHING_OF_NGINX: "1" }, {})).toThrow(ConfigurationError);
    expect(withSettings({}, { "view engine": "pug" }, {})).toEqual({});
  });
});

describe("precedence", () => {
  const all = { RATELIMIT_DEFAULT: "4/minute" };

  it.each<[string, LimiterOptions, Record<string, unknown>, Record<string, string>, string | undefined]>([
    ["nothing", {}, {}, {}, undefined],
    ["the environment", {}, {}, all, "4/minute"],
    ["the app over the environment", {}, { RATELIMIT_DEFAULT: "3/minute" }, all, "3/minute"],
    [
      "the constructor over both",
      { defaultLimits: "2/minute" },
      { RATELIMIT_DEFAULT: "3/minute" },
      all,
      "2/minute",
    ],
    ["undefined in the constructor is nothing", { defaultLimits: undefined }, {}, all, "4/minute"],
  ])("%s", (_what, options, app, environment, limits) => {
    expect(withSettings(options, app, environment).defaultLimits).toBe(limits);
  });

  it.each([
    ["enabled", false, "RATELIMIT_ENABLED", "true"],
    ["headersEnabled", false, "RATELIMIT_HEADERS_ENABLED", "true"],
    ["defaultLimitsCost", 0, "RATELIMIT_DEFAULTS_COST", "3"],
    ["errorMessage", "", "RATELIMIT_ERROR_MESSAGE", "slow down"],
    ["defaultLimits", [], "RATELIMIT_DEFAULT", "3/minute"],
  ])("%s: %j in the constructor counts, though it is little", (option, value, name, text) => {
    expect(withSettings({ [option]: value }, { [name]: text }, { [name]: text })).toMatchObject({
      [option]: value,
    });
  });

  it("holds for each header name by itself", () => {
    const app = { RATELIMIT_HEADER_LIMIT: "app-limit", RATELIMIT_HEADER_RESET: "app-reset" };
    const environment = { RATELIMIT_HEADER_RESET: "env-reset", RATELIMIT_HEADER_REMAINING: "env-remaining" };
    expect(withSettings({ headerNames: { limit: "own-limit" } }, app, environment).headerNames).toEqual({
      limit: "own-limit",
      reset: "app-reset",
      remaining: "env-remaining",
    });
  });

  it("lets the nearest source that names a storage say which", () => {
    const storage = new MemoryStorage();
    const environment = { RATELIMIT_STORAGE_URI: "redis://elsewhere" };
    expect(withSettings({ storage }, {}, environment)).toEqual({ storage });
    expect(withSettings({ storageUri: "memory://" }, {}, environment)).toEqual({ storageUri: "memory://" });
    expect(withSettings({}, { RATELIMIT_STORAGE_URI: "memory://" }, environment)).toEqual({
      storageUri: "memory://",
    });
  });
});

describe("init(app)", () => {
  it("takes the app's settings for what the constructor left open, limits made before included", async () => {
    const clock = new ManualClock(START);
    const limiter = new Limiter({ clock, defaultLimits: "2/minute" });
    const app = express();
    const own = limiter.limit("3/minute");
    app.set("RATELIMIT_HEADER_LIMIT", "X-Top");
    app.set("RATELIMIT_DEFAULT", "9/minute");
    app.set("RATELIMIT_KEY_FUNC", (req: express.Request) => req.headers["x-user"]);
    app.set("RATELIMIT_STRATEGY", "moving-window");
    limiter.init(app);
    app.get("/x", ok);
    app.get("/own", own, ok);
    const server = await serve(app);
    const first = await server.get("/x", { "x-user": "ann" });
    expect(first.headers["x-top"]).toBe("2");
    expect(await server.statuses(2, "/x", { "x-user": "ann" })).toEqual([OK, NO]);
    expect(await server.statuses(4, "/own", { "x-user": "ann" })).toEqual([OK, OK, OK, NO]);
    expect(await server.statuses(2, "/own", { "x-user": "bob" })).toEqual([OK, OK]);
    // A moving window frees what is a minute old, and no more.
    clock.advance(59_999);
    expect((await server.get("/own", { "x-user": "ann" })).status).toBe(NO);
  });

  it("mounts the middleware, once however often it is called", async () => {
    const { app, limiter } = limitedApp(express, { defaultLimits: "2/minute" }, false);
    limiter.init(app);
    limiter.init(app);
    app.use(limiter.middleware());
    app.get("/x", ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
  });

  it("is called by the option app", async () => {
    const app = express();
    app.set("RATELIMIT_DEFAULT", "1/minute");
    new Limiter({ app, clock: new ManualClock(START) });
    app.get("/x", ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("keeps listeners, filters, exemptions and the switch that were set before", async () => {
    const { app, limiter } = limitedApp(express, {}, false);
    const told: string[] = [];
    limiter.on("breach", () => told.push("breach"));
    limiter.requestFilter((req) => req.query["team"] === "1");
    limiter.enabled = false;
    const { exempt } = limiter;
    app.set("RATELIMIT_DEFAULT", "1/minute");
    app.set("RATELIMIT_ENABLED", true);
    limiter.init(app);
    app.get("/x", ok);
    app.get("/free", exempt, ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, OK]);
    limiter.enabled = true;
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect(await server.statuses(2, "/free")).toEqual([OK, OK]);
    expect(await server.statuses(2, "/x?team=1")).toEqual([OK, OK]);
    expect(told).toEqual(["breach"]);
  });

  it("keeps who was denied before", async () => {
    const { app, limiter } = limitedApp(express, {}, false);
    await limiter.deny("127.0.0.1");
    app.set("RATELIMIT_DEFAULT", "9/minute");
    limiter.init(app);
    app.get("/x", ok);
    const server = await serve(app);
    expect((await server.get("/x")).status).toBe(403);
  });

  it("fails on a setting that is wrong, and on one that is misspelt", () => {
    for (const [name, value] of [
      ["RATELIMIT_DEFAULT", "10 per hor"],
      ["RATELIMIT_ENABLED", "perhaps"],
      ["RATELIMIT_KEY_FUNK", fn],
      ["RATELIMIT_KEY_FUNC", "remote"],
    ] as const) {
      const app = express();
      app.set(name, value);
      expect(() => new Limiter().init(app)).toThrow();
    }
  });
});

describe("the environment", () => {
  it("makes a limiter without any option", async () => {
    vi.stubEnv("RATELIMIT_DEFAULT", "2/minute");
    vi.stubEnv("RATELIMIT_HEADER_REMAINING", "X-Left");
    const app = express();
    const limiter = new Limiter();
    app.use(limiter.middleware());
    app.get("/x", ok);
    const server = await serve(app);
    expect((await server.get("/x")).headers["x-left"]).toBe("1");
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("is that of the process", async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: `
          import { Limiter } from "./src/index.ts";
          const limiter = new Limiter({ logger: console });
          const { limits } = await limiter.hit("9/minute", "ann");
          console.log(JSON.stringify([limiter.enabled, limits.length]));
          try { new Limiter({ storageUri: undefined, keyPrefix: undefined, defaultLimits: "x" }); }
          catch (error) { console.log(error.code); }
        `,
        resolveDir: fileURLToPath(new URL("../..", import.meta.url)),
      },
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      external: ["ms", "express", "ioredis", "memcached"],
      loader: { ".lua": "text" },
    });
    const run = (env: Record<string, string>) =>
      spawnSync(process.execPath, ["--input-type=module", "-"], {
        input: outputFiles[0]?.text ?? "",
        encoding: "utf8",
        cwd: fileURLToPath(new URL("../..", import.meta.url)),
        env: { PATH: process.env["PATH"] ?? "", ...env },
      });
    const fine = run({ RATELIMIT_ENABLED: "off", RATELIMIT_DEFAULT: "1/minute" });
    expect([fine.stdout, fine.status]).toEqual(["[false,1]\nLIMIT_SYNTAX\n", 0]);
    const wrong = run({ RATELIMIT_STRATGY: "moving-window" });
    expect(wrong.stderr).toContain('"RATELIMIT_STRATGY". Did you mean "RATELIMIT_STRATEGY"?');
    expect(wrong.status).toBe(1);
  });
});
