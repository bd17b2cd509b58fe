import { readdirSync } from "node:fs";
import type { RequestListener } from "node:http";
import type { Limiter, Storage } from "express-limits";
import { ManualClock, storageContract } from "express-limits/testing";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type Answer, serve, type TestServer } from "./helpers/http.js";
import { type Server, startMemcached, startRedis } from "./helpers/servers.js";

const folder = new URL("../examples/", import.meta.url);
const tested = new Set<string>();

interface Example {
  readonly app: RequestListener;
  readonly [name: string]: unknown;
}

/** A fresh copy of an example: its limiter has counted nothing yet. */
async function load(name: string): Promise<Example> {
  vi.resetModules();
  return import(new URL(`${name}.js`, folder).href);
}

/** A test of one example, over HTTP. */
function example(
  name: string,
  idea: string,
  body: (server: TestServer, all: Example) => Promise<void>,
): void {
  tested.add(`${name}.js`);
  it(`${name}: ${idea}`, async () => {
    const all = await load(name);
    await body(await serve(all.app), all);
  });
}

const post = (server: TestServer, path: string, body: unknown): Promise<Answer> =>
  server.send("POST", path, {
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

async function postStatuses(server: TestServer, times: number, path: string): Promise<number[]> {
  const seen: number[] = [];
  for (let i = 0; i < times; i++) seen.push((await server.send("POST", path)).status);
  return seen;
}

describe("examples: which limits apply where", () => {
  example("quick-start", "default limits, an own limit, an exemption", async (server) => {
    expect((await server.get("/fast")).body).toBe("42");
    const second = await server.get("/fast");
    expect([second.status, second.body]).toEqual([429, expect.stringContaining("<p>1 per 1 second</p>")]);
    expect(await server.statuses(2, "/slow")).toEqual([200, 429]);
    expect(await server.statuses(20, "/ping")).toEqual(new Array(20).fill(200));
  });

  example("several-limits", "a refused request spends nothing of the larger limit", async (server) => {
    expect(JSON.parse((await server.get("/search")).body)).toEqual([
      "1 left of 2 per 1 minute",
      "99 left of 100 per 1 day",
    ]);
    expect(await server.statuses(3, "/search")).toEqual([200, 429, 429]);
    expect((await server.get("/search", { accept: "text/plain" })).body).toBe("2 per 1 minute");
  });

  example("per-route", "an own limit replaces the defaults, or joins them", async (server) => {
    expect((await server.get("/articles")).headers["x-ratelimit-limit"]).toBe("100");
    expect((await server.get("/search")).headers["x-ratelimit-limit"]).toBe("10");
    expect(await server.statuses(10, "/search")).toEqual([...new Array(9).fill(200), 429]);
    expect(await postStatuses(server, 3, "/articles")).toEqual([201, 201, 429]);
    expect((await server.get("/articles")).headers["x-ratelimit-remaining"]).toBe("96");
  });

  example("shared-limit", "two routes spend from one budget", async (server) => {
    expect(await postStatuses(server, 2, "/invite")).toEqual([200, 200]);
    expect(await postStatuses(server, 2, "/remind")).toEqual([200, 429]);
    expect(await postStatuses(server, 1, "/invite")).toEqual([429]);
  });

  example("router-limits", "one counter for a router, or one for each route", async (server) => {
    expect(await server.statuses(1, "/together/cats")).toEqual([200]);
    expect(await server.statuses(2, "/together/dogs/rex")).toEqual([200, 429]);
    expect(await server.statuses(3, "/each/cats")).toEqual([200, 200, 429]);
    expect(await server.statuses(1, "/each/dogs/rex")).toEqual([200]);
    expect(await server.statuses(2, "/each/dogs/bella")).toEqual([200, 429]);
  });

  example("exempt", "a route, a router and picked requests are free", async (server) => {
    expect(await server.statuses(2, "/")).toEqual([200, 429]);
    expect(await server.statuses(2, "/", { "x-monitor": "probe-7" })).toEqual([200, 200]);
    expect(await server.statuses(3, "/health")).toEqual([200, 200, 200]);
    expect(await server.statuses(3, "/internal/metrics")).toEqual([200, 200, 200]);
  });
});

describe("examples: who is counted", () => {
  example("by-api-key", "each key has its own budget, strangers get none", async (server) => {
    expect(await server.statuses(3, "/data", { "x-api-key": "ann-4711" })).toEqual([200, 200, 429]);
    expect(await server.statuses(1, "/data", { "x-api-key": "bob-0815" })).toEqual([200]);
    expect(await server.statuses(1, "/data", { "x-api-key": "invented" })).toEqual([401]);
  });

  example("by-user", "users are counted, behind authentication", async (server) => {
    const ann = { authorization: "token-of-ann" };
    expect(await server.statuses(5, "/report")).toEqual(new Array(5).fill(401));
    expect(await server.statuses(3, "/report", ann)).toEqual([200, 200, 429]);
    expect(await server.statuses(1, "/report", { authorization: "token-of-bob" })).toEqual([200]);
  });

  example("tiers", "the plan decides the limit", async (server) => {
    expect(JSON.parse((await server.get("/data", { "x-api-key": "ann-4711" })).body)).toEqual({
      plan: "3 per 1 minute",
      remaining: 2,
    });
    expect(await server.statuses(3, "/data", { "x-api-key": "ann-4711" })).toEqual([200, 200, 429]);
    expect(await server.statuses(2, "/data", { "x-api-key": "bob-0815" })).toEqual([200, 429]);
    const stranger = await server.get("/data");
    expect([stranger.status, stranger.headers["retry-after"]]).toEqual([429, undefined]);
  });

  example("behind-a-proxy", "the address that the trusted proxy tells is counted", async (server) => {
    const from = (address: string) => ({ "x-forwarded-for": address });
    expect((await server.get("/", from("192.0.2.1"))).body).toBe("You are 192.0.2.1");
    expect(await server.statuses(2, "/", from("192.0.2.1"))).toEqual([200, 429]);
    expect(await server.statuses(1, "/", from("192.0.2.2"))).toEqual([200]);
    expect(await server.statuses(1, "/", from("198.51.100.9, 192.0.2.1"))).toEqual([429]);
  });
});

describe("examples: one client", () => {
  example("peek-and-clear", "one sees what a client has spent, and forgets it", async (server) => {
    const ann = { "x-api-key": "ann" };
    const spent = async () => JSON.parse((await server.get("/clients/ann")).body);
    expect(await spent()).toEqual([]);
    expect(await server.statuses(3, "/search", ann)).toEqual([200, 200, 429]);
    expect(await spent()).toEqual(["GET /search: 2 of 2 per 1 hour"]);
    expect((await server.send("DELETE", "/clients/ann")).status).toBe(204);
    expect(await spent()).toEqual([]);
    expect(await server.statuses(1, "/search", ann)).toEqual([200]);
  });

  example("allow-and-deny", "some are never limited, some get 403", async (server) => {
    expect(await server.statuses(2, "/")).toEqual([200, 429]);
    expect(await server.statuses(2, "/", { "x-api-key": "key-of-our-monitor" })).toEqual([200, 200]);
    expect(await server.statuses(1, "/", { "user-agent": "EvilBot/1.0" })).toEqual([403]);
    const scraper = { "x-api-key": "key-of-a-scraper" };
    expect(await server.statuses(2, "/", scraper)).toEqual([200, 429]);
    await server.get("/trap", { "x-api-key": "ann" });
    expect(await server.statuses(1, "/", scraper)).toEqual([403]);
  });

  example("app-settings", "the app's settings are the limiter's", async (server) => {
    expect(await server.statuses(3, "/")).toEqual([200, 200, 429]);
  });
});

describe("examples: how it counts", () => {
  example("cost", "an export takes as much as it has rows", async (server) => {
    expect(JSON.parse((await server.get("/page")).body)).toMatchObject({ used: 1, remaining: 99 });
    expect(JSON.parse((await server.get("/export?rows=60")).body)).toMatchObject({ used: 61, remaining: 39 });
    expect(await server.statuses(1, "/export?rows=40")).toEqual([429]);
    expect(await server.statuses(2, "/export?rows=39")).toEqual([200, 429]);
  });

  example("only-failures", "successes are free", async (server) => {
    expect(await postStatuses(server, 10, "/redeem/SUMMER")).toEqual(new Array(10).fill(200));
    expect(await postStatuses(server, 4, "/redeem/guess")).toEqual([404, 404, 404, 429]);
    expect(await postStatuses(server, 1, "/redeem/SUMMER")).toEqual([429]);
  });

  example("login-guard", "wrong passwords lock the pair, and only wrong ones count", async (server) => {
    const login = async (username: string, password: string) =>
      (await post(server, "/login", { username, password })).status;
    for (let i = 0; i < 5; i++) expect(await login("ann", "correct horse")).toBe(200);
    for (let i = 0; i < 3; i++) expect(await login("ann", "guess")).toBe(401);
    expect(await login(" ANN ", "correct horse")).toBe(429);
    expect(await login("bob", "correct horse")).toBe(200);
    for (let i = 0; i < 2; i++) expect(await login("bob", "guess")).toBe(401);
    expect(await login("bob", "correct horse")).toBe(200);
    for (let i = 0; i < 2; i++) expect(await login("bob", "guess")).toBe(401);
    expect(await login("bob", "correct horse")).toBe(200);
  });

  example("token-bucket", "a burst at once, then a steady rate", async (server) => {
    expect(await server.statuses(6, "/")).toEqual([200, 200, 200, 200, 200, 429]);
    expect((await server.get("/")).headers["retry-after"]).toMatch(/^1[12]$/);
    expect(await server.statuses(21, "/photos")).toEqual([...new Array(20).fill(200), 429]);
  });

  example("block", "the first refusal tells the whole penalty", async (server) => {
    expect(await server.statuses(3, "/search")).toEqual([200, 200, 429]);
    expect((await server.get("/search")).headers["retry-after"]).toBe("300");
  });

  example("meta-limits", "who breaks limits too often is refused everything", async (server) => {
    expect(await server.statuses(5, "/cats")).toEqual([200, 200, 429, 429, 429]);
    const other = await server.get("/dogs", { accept: "text/plain" });
    expect([other.status, other.body]).toEqual([429, "3 per 1 hour"]);
  });

  example("observe", "counts and tells, refuses nobody", async (server, { wouldBeRefused }) => {
    expect(JSON.parse((await server.get("/search")).body)).toEqual({ breached: false });
    expect(JSON.parse((await server.get("/search")).body)).toEqual({ breached: true });
    expect(wouldBeRefused).toEqual(["/search: 1 per 1 minute"]);
  });
});

describe("examples: what a refused client gets", () => {
  example("custom-response", "a text, an object, a handler", async (server) => {
    await server.get("/text");
    expect((await server.get("/text", { accept: "text/plain" })).body).toBe("One per hour, please.");
    await server.get("/json");
    const asJson = await server.get("/json");
    expect([asJson.status, JSON.parse(asJson.body)]).toEqual([429, { error: "slow_down", retryAfter: 3600 }]);
    await server.get("/page");
    const redirected = await server.get("/page");
    expect([redirected.status, redirected.headers.location]).toEqual([302, "/pricing"]);
  });

  example("error-handler", "the app's own handler answers", async (server) => {
    await server.get("/");
    const refused = await server.get("/");
    expect([refused.status, refused.headers["retry-after"]]).toEqual([429, "60"]);
    expect(JSON.parse(refused.body)).toEqual({ error: "Only 1 per 1 minute.", retryAfter: 60 });
  });

  example("ietf-headers", "all limits by name, and no X-RateLimit headers", async (server) => {
    const first = await server.get("/");
    expect(first.headers["ratelimit-policy"]).toBe('"burst";q=2;w=60, "daily";q=100;w=86400');
    expect(first.headers.ratelimit).toBe('"burst";r=1;t=60, "daily";r=99;t=86400');
    expect(first.headers["x-ratelimit-limit"]).toBeUndefined();
    expect(await server.statuses(2, "/")).toEqual([200, 429]);
  });

  example("check", "the handler decides when to ask", async (server) => {
    expect(await server.statuses(3, "/report?cached=yes")).toEqual([200, 200, 200]);
    expect(await server.statuses(2, "/report")).toEqual([200, 429]);
    expect(await server.statuses(1, "/report?cached=yes")).toEqual([200]);
  });
});

describe("examples: storages, tests, and no Express at all", () => {
  example("storage-failure", "counts in memory while the storage is away", async (server) => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    expect(await server.statuses(1, "/")).toEqual([200]);
    await server.send("POST", "/break");
    expect(await server.statuses(4, "/")).toEqual([200, 200, 200, 429]);
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/^Counting in memory: .*told to fail/)]]);
    warn.mockRestore();
  });

  example("outside-http", "a job and a route spend from one budget", async (server, all) => {
    const nightlyMail = all.nightlyMail as (userId: string) => Promise<string>;
    const mail = async () => (await server.send("POST", "/mail", { headers: { "x-user": "ann" } })).status;
    expect([await mail(), await nightlyMail("ann"), await mail(), await mail()]).toEqual([
      200,
      "sent",
      200,
      429,
    ]);
    expect(await nightlyMail("ann")).toMatch(/^again in (59|60) minutes$/);
    expect(await nightlyMail("bob")).toBe("sent");
  });

  example("testing", "an hour passes at once", async (server, all) => {
    const clock = all.clock as ManualClock;
    expect(await server.statuses(2, "/")).toEqual([200, 429]);
    clock.advance(3_599_999);
    expect(await server.statuses(1, "/")).toEqual([429]);
    clock.advance(1);
    expect(await server.statuses(1, "/")).toEqual([200]);
  });

  example("engine", "limits a plain node:http server", async (server) => {
    expect(await server.statuses(3, "/")).toEqual([200, 200, 429]);
    expect((await server.get("/")).headers["retry-after"]).toBe("60");
  });
});

/** An example in two processes, as it were: two copies of it and one server, which a variable names. */
async function inTwoProcesses(
  name: string,
  variable: string,
  server: Server,
): Promise<readonly [TestServer, TestServer]> {
  tested.add(`${name}.js`);
  vi.stubEnv(variable, server.uri);
  vi.stubEnv("RATELIMIT_STORAGE_TIMEOUT", "3s"); // so that a busy machine is no outage
  const copies = [await load(name), await load(name)] as const;
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    for (const { limiter } of copies) await (limiter as Limiter).close();
    await server.stop();
  });
  return [await serve(copies[0].app), await serve(copies[1].app)];
}

describe("examples: storages on a server", () => {
  it("redis: processes count together, and each for itself while Redis is away", async () => {
    const redis = await startRedis();
    const [one, other] = await inTwoProcesses("redis", "REDIS_URL", redis);
    expect(await one.statuses(2, "/")).toEqual([200, 200]);
    expect(await other.statuses(2, "/")).toEqual([200, 429]);
    expect(await one.statuses(1, "/")).toEqual([429]);
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    onTestFinished(() => warn.mockRestore());
    await redis.kill();
    // What is known to be used up is refused without asking, for a second at most.
    await vi.waitFor(async () => expect((await other.get("/")).status).toBe(200), 10_000);
    expect(await other.statuses(3, "/")).toEqual([200, 200, 429]);
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/^Counting in memory: Redis /)]]);
  });

  it("memcached: processes count together, and not at all while Memcached is away", async () => {
    const memcached = await startMemcached();
    const [one, other] = await inTwoProcesses("memcached", "MEMCACHED_URL", memcached);
    expect(await postStatuses(one, 2, "/signup")).toEqual([200, 200]);
    expect(await postStatuses(other, 2, "/signup")).toEqual([200, 429]);
    expect(await postStatuses(one, 1, "/signup")).toEqual([429]);
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    onTestFinished(() => warn.mockRestore());
    await memcached.kill();
    expect(await postStatuses(other, 4, "/signup")).toEqual([200, 200, 200, 200]);
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/^Not limiting: Memcached /)]]);
  });
});

describe("a storage of one's own", () => {
  example("own-storage", "counts", async (server) => {
    expect(await server.statuses(3, "/")).toEqual([200, 200, 429]);
  });

  storageContract({ describe, it }, async () => {
    const clock = new ManualClock();
    const { MapStorage } = await load("own-storage");
    const storage: Storage = Reflect.construct(MapStorage as new () => Storage, [{ clock }]);
    return { storage, advance: (ms) => clock.advance(ms) };
  });
});

describe("the folder of examples", () => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".js") && name !== "demo.js");

  it("holds nothing that is not tested here", () => {
    expect(files.sort()).toEqual([...tested].sort());
  });
});
