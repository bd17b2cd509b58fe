import express, { type Request } from "express";
import {
  byBody,
  ConfigurationError,
  type LimitDecision,
  type LoginGuardOptions,
  loginGuard,
} from "express-limits";
import { describe, expect, it } from "vitest";
import { Gate } from "../helpers/gate.js";
import { serve } from "../helpers/http.js";
import { limitedApp, START } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const WRONG = 401;
const NO = 429;

expectNoUnhandledRejections();

interface Attempt {
  readonly as?: unknown;
  readonly from?: string;
  readonly right?: boolean;
}

/** A login behind the guard. Who calls from where is said with each attempt. */
async function guarded(options: LoginGuardOptions = {}, gate = openGate()) {
  const made = limitedApp(express);
  const { app, limiter } = made;
  app.set("trust proxy", true);
  const login = async (req: Request, res: express.Response): Promise<void> => {
    await gate.pass();
    const status = Number(req.body?.answer ?? (req.body?.right === true ? OK : WRONG));
    res.status(status).send("answered");
  };
  app.post("/login", express.json(), ...loginGuard(limiter, options), login);
  app.post("/admin/login", express.json(), ...loginGuard(limiter, options), login);
  const server = await serve(app);
  const post = (path: string, body: unknown, from = "192.0.2.1") =>
    server.send("POST", path, {
      headers: { "content-type": "application/json", "x-forwarded-for": from },
      body: JSON.stringify(body),
    });
  const attempt = async ({ as = "ann", from = "192.0.2.1", right = false }: Attempt) =>
    (await post("/login", { username: as, right }, from)).status;
  const attempts = async (...all: Attempt[]) => {
    const statuses: number[] = [];
    for (const one of all) statuses.push(await attempt(one));
    return statuses;
  };
  return { ...made, server, post, attempt, attempts };
}

function openGate(): Gate {
  const gate = new Gate();
  gate.open();
  return gate;
}

const times = (many: number, attempt: (i: number) => Attempt): Attempt[] =>
  Array.from({ length: many }, (_, i) => attempt(i));

const rows = (decisions: readonly LimitDecision[]): string[] =>
  decisions.map(({ scope, used, limit }) => `${scope}: ${used} of ${limit}`);

describe("loginGuard", () => {
  it("lets an address try one account 5 times in 15 minutes", async () => {
    const { attempts, clock } = await guarded();
    expect(await attempts(...times(7, () => ({})))).toEqual([...Array(5).fill(WRONG), NO, NO]);
    // The right password does not help while it is blocked; another account does, and so does another address.
    expect(await attempts({ right: true })).toEqual([NO]);
    expect(await attempts({ as: "bob", right: true })).toEqual([OK]);
    expect(await attempts({ from: "192.0.2.2", right: true })).toEqual([OK]);
    clock.set(START + 15 * 60_000 - 1);
    expect(await attempts({})).toEqual([NO]);
    clock.advance(1);
    expect(await attempts({ right: true })).toEqual([OK]);
  });

  it("counts only failures", async () => {
    const { attempts } = await guarded();
    expect(await attempts(...times(100, () => ({ right: true })))).toEqual(Array(100).fill(OK));
    expect(await attempts(...times(6, () => ({})))).toEqual([...Array(5).fill(WRONG), NO]);
  });

  it("lets a success clear the failures of its account and pair, not those of its address", async () => {
    const { attempts, limiter } = await guarded();
    await attempts(...times(4, () => ({})), ...times(3, () => ({ from: "192.0.2.2" })));
    expect(rows(await limiter.peek("192.0.2.1"))).toEqual(["login:address: 4 of 50 per 1 hour"]);
    await attempts({ right: true });
    expect(rows(await limiter.peek("192.0.2.1"))).toEqual(["login:address: 4 of 50 per 1 hour"]);
    // Five more for the pair, and of the 20 for the account none is spent.
    expect(await attempts(...times(6, () => ({})))).toEqual([...Array(5).fill(WRONG), NO]);
    const more = await attempts(...times(16, (i) => ({ from: `198.51.100.${i}` })));
    expect(more).toEqual([...Array(15).fill(WRONG), NO]);
  });

  it("stops one address that sprays a password over many accounts", async () => {
    const { attempts } = await guarded();
    const statuses = await attempts(...times(60, (i) => ({ as: `user${i}` })));
    expect(statuses).toEqual([...Array(50).fill(WRONG), ...Array(10).fill(NO)]);
    expect(await attempts({ as: "user99", from: "192.0.2.2" })).toEqual([WRONG]);
  });

  it("is not fooled by an own account between the guesses", async () => {
    const { attempts } = await guarded();
    const mixed = times(120, (i) => (i % 2 === 0 ? { as: `user${i}` } : { as: "mallory", right: true }));
    const failures = (await attempts(...mixed)).filter((status) => status === WRONG);
    expect(failures).toHaveLength(50);
  });

  it("stops many addresses that guess one account", async () => {
    const { attempts } = await guarded();
    const statuses = await attempts(...times(25, (i) => ({ from: `198.51.100.${i}` })));
    expect(statuses).toEqual([...Array(20).fill(WRONG), ...Array(5).fill(NO)]);
    expect(await attempts({ as: "bob", from: "198.51.100.1", right: true })).toEqual([OK]);
  });

  it("lets exactly 5 of 40 parallel guesses reach the password", async () => {
    const gate = new Gate();
    const { attempt } = await guarded({}, gate);
    const answers = Promise.all(times(40, () => ({})).map(attempt));
    await gate.arrivals(5);
    gate.open();
    expect((await answers).sort()).toEqual([...Array(5).fill(WRONG), ...Array(35).fill(NO)]);
    expect(gate.count).toBe(5);
  });

  it("lets exactly 50 of parallel guesses on many accounts through, and 20 from many addresses", async () => {
    const spray = new Gate();
    const sprayed = await guarded({}, spray);
    const first = Promise.all(times(70, (i) => ({ as: `user${i}` })).map(sprayed.attempt));
    await spray.arrivals(50);
    spray.open();
    expect((await first).filter((status) => status === WRONG)).toHaveLength(50);

    const botnet = new Gate();
    const guessed = await guarded({}, botnet);
    const second = Promise.all(times(40, (i) => ({ from: `198.51.100.${i}` })).map(guessed.attempt));
    await botnet.arrivals(20);
    botnet.open();
    expect((await second).filter((status) => status === WRONG)).toHaveLength(20);
  });

  it("counts the spellings of a name together", async () => {
    const { attempts } = await guarded();
    const spellings = ["ann", "Ann", " ANN ", "ａｎｎ", "ann\n", "\tAnN"];
    expect(await attempts(...spellings.map((as) => ({ as })))).toEqual([...Array(5).fill(WRONG), NO]);
  });

  it("counts whoever names no account by address, and each kind of nonsense with it", async () => {
    const { attempts } = await guarded();
    const nonsense = [undefined, null, "", "   ", ["ann"], { $gt: "" }, true];
    expect(await attempts(...nonsense.map((as) => ({ as: as === undefined ? null : as })))).toEqual([
      ...Array(5).fill(WRONG),
      NO,
      NO,
    ]);
  });

  it("counts a number as the text that it is", async () => {
    const { attempts } = await guarded();
    expect(
      await attempts({ as: 42 }, { as: "42" }, { as: 42 }, { as: "42" }, { as: 42 }, { as: "42" }),
    ).toEqual([...Array(5).fill(WRONG), NO]);
  });

  it("groups the addresses of an IPv6 network", async () => {
    const { attempts } = await guarded();
    const statuses = await attempts(...times(6, (i) => ({ from: `2001:db8:0:12${i}0::${i}` })));
    expect(statuses).toEqual([...Array(5).fill(WRONG), NO]);
    // A success from there clears it.
    const again = await guarded();
    await again.attempts(...times(4, (i) => ({ from: `2001:db8::${i}` })), {
      from: "2001:db8::9",
      right: true,
    });
    expect(await again.attempts(...times(5, () => ({ from: "2001:db8::1" })))).toEqual(Array(5).fill(WRONG));
  });

  it("neither counts server errors as failures nor lets them clear any", async () => {
    const { post, attempts } = await guarded();
    await attempts(...times(4, () => ({})));
    for (let i = 0; i < 3; i++)
      expect((await post("/login", { username: "ann", answer: 503 })).status).toBe(503);
    expect(await attempts({}, {})).toEqual([WRONG, NO]);
  });

  it("shares its counters between places with one scope, and splits them by another", async () => {
    const { post } = await guarded();
    for (let i = 0; i < 5; i++) await post(i % 2 === 0 ? "/login" : "/admin/login", { username: "ann" });
    expect((await post("/login", { username: "ann" })).status).toBe(NO);
    expect((await post("/admin/login", { username: "ann" })).status).toBe(NO);

    const { app, limiter } = limitedApp(express);
    for (const scope of ["shop", "admin"]) {
      app.post(
        `/${scope}`,
        express.json(),
        ...loginGuard(limiter, { scope, perPair: "1/hour" }),
        (_req, res) => {
          res.sendStatus(WRONG);
        },
      );
    }
    const server = await serve(app);
    const ask = { headers: { "content-type": "application/json" }, body: "{}" };
    expect((await server.send("POST", "/shop", ask)).status).toBe(WRONG);
    expect((await server.send("POST", "/shop", ask)).status).toBe(NO);
    expect((await server.send("POST", "/admin", ask)).status).toBe(WRONG);
  });

  it("lets an account in again that somebody unlocks by a request of his own that names it", async () => {
    const { app, limiter, attempts, post } = await guarded({ perAccount: "3 per hour" });
    app.post("/admin/unlock", express.json(), async (req, res) => {
      await limiter.clear(req, { scope: "login:account" });
      res.send("unlocked");
    });
    expect(await attempts(...times(4, (i) => ({ from: `192.0.2.${i}` })))).toEqual([WRONG, WRONG, WRONG, NO]);
    expect(await attempts({ from: "192.0.2.9", right: true })).toEqual([NO]);
    expect((await post("/admin/unlock", { username: " Ann" }, "198.51.100.1")).status).toBe(OK);
    expect(await attempts({ from: "192.0.2.9", right: true })).toEqual([OK]);
  });

  it("takes other limits, other accounts, and another idea of failure", async () => {
    const { app, limiter } = limitedApp(express);
    const guard = loginGuard(limiter, {
      account: (req) => req.get("x-account"),
      perPair: "2 per minute",
      perAccount: "9 per minute",
      perAddress: "9 per minute",
      hasFailed: (_req, res) => res.getHeader("x-failed") === "1",
      limitOptions: { errorMessage: "locked", block: "10m" },
    });
    app.post("/login", ...guard, (req, res) => {
      // As many forms do: 302 either way.
      if (req.query["ok"] !== "1") res.set("x-failed", "1");
      res.redirect("/");
    });
    const server = await serve(app);
    const login = (ok: string, account: string) =>
      server.send("POST", `/login?ok=${ok}`, { headers: { "x-account": account } });
    for (const account of ["ann", "ANN "]) expect((await login("0", account)).status).toBe(302);
    const refused = await login("0", "ann");
    expect([refused.status, refused.headers["retry-after"], refused.body]).toEqual([
      NO,
      "600",
      expect.stringContaining("locked"),
    ]);
    expect((await login("1", "bob")).status).toBe(302);
  });

  it("is three limits in one storage trip, and shows the tightest", async () => {
    const { post, limiter } = await guarded();
    const decided: number[] = [];
    limiter.on("allowed", ({ decision }) => decided.push(decision.limits.length));
    const { headers } = await post("/login", { username: "ann" });
    expect([headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]]).toEqual(["5", "4"]);
    expect(decided).toEqual([3]);
  });

  it("stores no name", async () => {
    const { attempts, limiter } = await guarded();
    const keys: string[] = [];
    limiter.on("allowed", ({ decision }) => keys.push(...decision.limits.map(({ key }) => key)));
    await attempts({ as: "ann@example.org" });
    expect(keys).toHaveLength(3);
    expect(keys.join()).not.toContain("ann");
  });

  it.each([
    [{ acount: "email" }, "account"],
    [{ account: 5 }, "account"],
    [{ perPair: "5 per quarter" }, "quarter"],
    [{ limitOptions: { blok: "5m" } }, "block"],
  ])("refuses %j at once", (options, said) => {
    const { limiter } = limitedApp(express);
    expect(() => loginGuard(limiter, options as LoginGuardOptions)).toThrow(said);
  });
});

describe("byBody", () => {
  /** `/x` counts by a field of the body, one in a minute. */
  async function counting(field = "username") {
    const { app, limiter } = limitedApp(express);
    const keys: (string | undefined)[] = [];
    app.post(
      "/x",
      express.json({ strict: false }),
      express.urlencoded({ extended: true }),
      limiter.limit("1/minute", { keyFunc: byBody(field) }),
      (req, res) => {
        keys.push(limiter.currentLimit(req)?.key);
        res.send("ok");
      },
    );
    const server = await serve(app);
    const post = async (body: string, type = "application/json") =>
      (await server.send("POST", "/x", { headers: { "content-type": type }, body })).status;
    return { post, keys };
  }

  it("counts spellings of one text together, and others apart", async () => {
    const { post, keys } = await counting();
    expect(await post('{"username":"Straße"}')).toBe(OK);
    for (const spelling of ["straße", " STRAßE", "Ｓtraße\\t"]) {
      expect([spelling, await post(`{"username":"${spelling}"}`)]).toEqual([spelling, NO]);
    }
    expect(await post('{"username":"strasse"}')).toBe(OK);
    expect(await post("username=straße", "application/x-www-form-urlencoded")).toBe(NO);
    expect(await post("username=other", "application/x-www-form-urlencoded")).toBe(OK);
    expect(keys.every((key) => /^[0-9a-f]{40}$/.test(key ?? ""))).toBe(true);
  });

  it.each([
    ['{"username":["ann"]}'],
    ['{"username":{"$ne":""}}'],
    ['{"username":null}'],
    ['{"username":true}'],
    ['{"username":""}'],
    ['{"username":" \\u3000 "}'],
    ["{}"],
    ["[]"],
    ['"text"'],
    ["null"],
    ['{"__proto__":{"username":"ann"}}'],
  ])("counts %s by address", async (body) => {
    const { post, keys } = await counting();
    expect(await post(body)).toBe(OK);
    expect(keys).toEqual(["127.0.0.1"]);
    expect(await post('{"username":["another"]}')).toBe(NO);
  });

  it("counts by address where nothing has parsed the body", async () => {
    const { app, limiter } = limitedApp(express);
    app.post(
      "/x",
      limiter.limit("1/minute", { keyFunc: byBody("username") }),
      (_req, res) => void res.send(),
    );
    const server = await serve(app);
    const post = async (name: string) =>
      (
        await server.send("POST", "/x", {
          headers: { "content-type": "application/json" },
          body: `{"username":"${name}"}`,
        })
      ).status;
    expect([await post("ann"), await post("bob")]).toEqual([OK, NO]);
  });

  it("keeps fields apart: a name in one is not the same text in another", async () => {
    const { app, limiter } = limitedApp(express);
    const keys: unknown[] = [];
    for (const field of ["email", "name"]) {
      app.post(
        `/${field}`,
        express.json(),
        (req, _res, next) => {
          keys.push(byBody(field)(req));
          next();
        },
        limiter.limit("1/minute"),
        (_req, res) => void res.send(),
      );
    }
    const server = await serve(app);
    const headers = { "content-type": "application/json" };
    const body = '{"email":"ann","name":"ann"}';
    await server.send("POST", "/email", { headers, body });
    await server.send("POST", "/name", { headers, body });
    expect(new Set(keys).size).toBe(2);
  });

  it("takes a long text without storing it", async () => {
    const { post, keys } = await counting();
    const name = "a".repeat(90_000);
    expect([await post(`{"username":"${name}"}`), await post(`{"username":"${name}"}`)]).toEqual([OK, NO]);
    expect(keys[0]).toHaveLength(40);
  });

  it.each([undefined, "", null, 5])("refuses the field %j", (field) => {
    expect(() => byBody(field as never)).toThrow(ConfigurationError);
  });
});
