import { Limiter } from "express-limits";
import { describe, expect, it } from "vitest";
import { type ExpressFunction, expresses } from "../helpers/expresses.js";
import { serve } from "../helpers/http.js";
import { limitedApp, ok } from "../helpers/limited-app.js";
import { RecordingStorage } from "../helpers/recording-storage.js";

/** One app with everything that names a counter. */
function busyApp(express: ExpressFunction) {
  const storage = new RecordingStorage();
  const { app, limiter } = limitedApp(express, {
    storage,
    defaultLimits: "100 per hour",
    applicationLimits: "1000 per day",
  });
  const [outer, inner] = [express.Router(), express.Router({ mergeParams: true })];
  inner.get("/posts/:post", ok);
  inner.get("/own/:id", limiter.limit("10 per minute"), ok);
  inner.all("/all", limiter.limit("10 per minute"), ok);
  outer.use("/users/:user", inner);
  outer.use(["/v1", "/v2"], inner);
  app.use("/Api", limiter.limit("500 per hour", { overrideDefaults: false }));
  app.use("/each", limiter.limit("5 per hour", { perEndpoint: true }));
  app.use("/Api/@:tag", outer);
  app.get("/each/:x", ok);
  app.get(["/list/:a", "/other"], ok);
  app.get(/^\/regex\/(\d+)$/, ok);
  app.route("/many").get(limiter.limit("1/hour"), ok).post(limiter.limit("1/hour"), ok);
  app.all("/every", limiter.limit("7 per hour"), ok);
  app.post("/shared/:id", limiter.sharedLimit("9 per hour", { scope: "mail {}%" }), ok);
  app.get(
    "/weird-é{curly}".replace(/[é{}]/g, ""),
    limiter.limit("1/day", { perMethod: true, scope: "ü#x" }),
    ok,
  );
  const sub = express();
  sub.get("/x/:y", limiter.limit("3 per hour"), ok);
  app.use("/tenants/:tenant", sub);
  return { app, storage };
}

const REQUESTS: [string, string][] = [
  ["GET", "/api/@news/users/7/posts/9"],
  ["HEAD", "/API/@NEWS/users/ann/posts/x%2fy"],
  ["GET", "/Api/@a/V1/posts/1"],
  ["GET", "/api/@b/v2/own/2"],
  ["PUT", "/api/@c/users/1/all"],
  ["GET", "/each/1"],
  ["GET", "/each/2/nothing"],
  ["GET", "/list/1"],
  ["GET", "/other"],
  ["GET", "/regex/42"],
  ["GET", "/many"],
  ["POST", "/many"],
  ["DELETE", "/every"],
  ["POST", "/shared/4"],
  ["GET", "/weird-curly"],
  ["GET", "/tenants/acme/x/1"],
  ["GET", "/nothing"],
];

async function keysOf(express: ExpressFunction, requests: readonly [string, string][]): Promise<string[]> {
  const { app, storage } = busyApp(express);
  const server = await serve(app);
  for (const [method, path] of requests) {
    const { status } = await server.send(method, path);
    expect([path, status]).toEqual([path, path.includes("nothing") ? 404 : 200]);
  }
  return storage.keys;
}

describe("counters have the same names", () => {
  it("on every Express", async () => {
    const [first, ...others] = await Promise.all(expresses.map(({ express }) => keysOf(express, REQUESTS)));
    expect(first).toMatchSnapshot();
    for (const other of others) expect(other).toEqual(first);
  });

  it.each(expresses)("in whatever order requests come, on $name", async ({ express }) => {
    const one = await keysOf(express, REQUESTS);
    const other = await keysOf(express, [...REQUESTS].reverse());
    expect([...other].sort()).toEqual([...one].sort());
  });

  it.each(expresses)("for all spellings and values, on $name", async ({ express }) => {
    const { app, storage } = busyApp(express);
    const server = await serve(app);
    for (const [method, path] of REQUESTS) await server.send(method, path);
    const known = storage.keys.length;
    for (let i = 0; i < 40; i++) {
      for (const path of [
        `/aPi/@${i}/users/${i}/posts/${i}`,
        `/api/@%41${i}/v2/own/%7a${i}/`,
        `/EACH/${i}?${i}`,
        `/invented/${i}`,
        `/list/${"l".repeat(i * 20)}x`,
      ]) {
        await server.get(path);
      }
    }
    expect(storage.keys.slice(known)).toEqual([]);
  });

  it("and every key starts with the prefix, escaped", async () => {
    const { express } = expresses[2]!;
    const storage = new RecordingStorage();
    const limiter = new Limiter({
      storage,
      keyPrefix: "my app{}",
      defaultLimits: "5/minute",
      applicationLimits: "5/hour",
      metaLimits: "5/day",
    });
    const app = express();
    app.use(limiter.middleware());
    app.get("/x", limiter.limit("3/day", { metaLimits: "1/hour", block: "1h" }), ok);
    const server = await serve(app);
    await server.statuses(5, "/x");
    expect(storage.keys.length).toBeGreaterThan(4);
    for (const key of storage.keys)
      expect(key).toMatch(/^my%0020app%007b%007d:\{@127\.0\.0\.1\}:[\x21-\x7e]+$/);
  });
});
