import { once } from "node:events";
import { type ClientRequest, request } from "node:http";
import { Readable } from "node:stream";
import express, { type Request, type Response } from "express";
import { type LimitOptions, MemoryStorage } from "express-limits";
import { FaultyStorage, ManualClock } from "express-limits/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { Gate } from "../helpers/gate.js";
import { serve, type TestServer } from "../helpers/http.js";
import { errorSink, limitedApp, ok, START } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const WRONG = 401;
const NO = 429;

expectNoUnhandledRejections();

const onlyWrong = (_req: unknown, res: Response): boolean => res.statusCode === WRONG;

/** A login that waits at a gate and then says `OK` to the right password and `WRONG` to any other. */
function login(options: LimitOptions = {}, strategy: LimitOptions["strategy"] = "fixed-window") {
  const storage = new MemoryStorage({ clock: new ManualClock(START) });
  const made = limitedApp(express, { storage });
  const { app, limiter } = made;
  const gate = new Gate();
  app.get(
    "/login",
    limiter.limit("5 per 15 minutes", { deductWhen: onlyWrong, strategy, ...options }),
    async (req, res) => {
      await gate.pass();
      res.status(req.query["password"] === "right" ? OK : WRONG).send("answered");
    },
  );
  return { ...made, gate };
}

/** What is spent, over all counters. */
async function spent(limiter: ReturnType<typeof login>["limiter"]): Promise<number> {
  return (await limiter.peek("127.0.0.1")).reduce((sum, { used }) => sum + used, 0);
}

/** A request whose client can hang up. */
function call(server: TestServer, path: string): ClientRequest {
  const client = request({ port: server.port, host: "127.0.0.1", path, agent: false });
  client.on("error", () => {});
  client.end();
  return client;
}

/** Lets connections close and promises settle. */
async function settled(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200 && !(await isTrue()); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await isTrue()).toBe(true);
}

describe("deductWhen", () => {
  it.each(["fixed-window", "moving-window", "sliding-window-counter", "token-bucket"] as const)(
    "lets exactly 5 of 30 wrong passwords at once through: %s",
    async (strategy) => {
      const { app, gate, limiter } = login({}, strategy);
      const server = await serve(app);
      const answers = Promise.all(Array.from({ length: 30 }, () => server.get("/login?password=guess")));
      await gate.arrivals(5);
      gate.open();
      const statuses = (await answers).map(({ status }) => status).sort();
      expect(statuses).toEqual([...Array(5).fill(WRONG), ...Array(25).fill(NO)]);
      expect(gate.count).toBe(5);
      expect(await spent(limiter)).toBe(5);
      expect((await server.get("/login?password=right")).status).toBe(NO);
    },
  );

  it("makes right passwords wait behind those that are being checked, and gives their room back", async () => {
    const { app, gate, limiter } = login();
    const server = await serve(app);
    const statuses: number[] = [];
    const all = Promise.all(
      Array.from({ length: 8 }, async () =>
        statuses.push((await server.get("/login?password=right")).status),
      ),
    );
    await settled(() => statuses.length === 3 && gate.count === 5);
    gate.open();
    await all;
    expect(statuses).toEqual([NO, NO, NO, ...Array(5).fill(OK)]);
    expect(await spent(limiter)).toBe(0);
    expect(await server.statuses(7, "/login?password=right")).toEqual(Array(7).fill(OK));
    expect(await server.statuses(6, "/login")).toEqual([...Array(5).fill(WRONG), NO]);
  });

  it("counts what is wrong among what is right, whatever the order", async () => {
    const { app, gate } = login();
    gate.open();
    const server = await serve(app);
    const passwords = "right wrong right wrong wrong right wrong right wrong right".split(" ");
    const statuses: number[] = [];
    for (const password of passwords) statuses.push((await server.get(`/login?password=${password}`)).status);
    expect(statuses).toEqual([OK, WRONG, OK, WRONG, WRONG, OK, WRONG, OK, WRONG, NO]);
  });

  it("keeps the charge of guessers who hang up before the answer", async () => {
    const { app, gate, limiter } = login();
    const server = await serve(app);
    const clients = Array.from({ length: 5 }, () => call(server, "/login?password=guess"));
    await gate.arrivals(5);
    for (const client of clients) client.destroy();
    expect((await server.get("/login?password=guess")).status).toBe(NO);
    gate.open();
    await settled(async () => (await spent(limiter)) === 5);
    expect((await server.get("/login?password=guess")).status).toBe(NO);
    expect(gate.count).toBe(5);
  });

  it("gives back when the client has left, but the handler says that it was right", async () => {
    const { app, gate, limiter } = login();
    const server = await serve(app);
    const clients = Array.from({ length: 5 }, () => call(server, "/login?password=right"));
    await gate.arrivals(5);
    for (const client of clients) client.destroy();
    expect((await server.get("/login?password=right")).status).toBe(NO);
    gate.open();
    await settled(async () => (await spent(limiter)) === 0);
  });

  it("keeps the charge when the handler gives up without an answer", async () => {
    const { app, limiter } = limitedApp(express);
    let closed = 0;
    app.get("/login", limiter.limit("2/minute", { deductWhen: onlyWrong }), (_req, res) => {
      res.on("close", () => closed++);
      res.destroy();
    });
    const server = await serve(app);
    for (let i = 0; i < 2; i++) await expect(server.get("/login")).rejects.toThrow();
    await settled(() => closed === 2);
    expect((await server.get("/login")).status).toBe(NO);
  });

  it("keeps the charge of a download that the client breaks off", async () => {
    const { app, limiter } = limitedApp(express);
    const endless = () =>
      new Readable({
        read() {
          this.push("x".repeat(65_536));
        },
      });
    let closed = 0;
    app.get("/file", limiter.limit("1/minute", { deductWhen: onlyWrong }), (_req, res) => {
      res.on("close", () => closed++);
      endless().pipe(res);
    });
    const server = await serve(app);
    const client = call(server, "/file");
    const [answer] = await once(client, "response");
    await once(answer, "data");
    client.destroy();
    await settled(() => closed === 1);
    expect((await server.get("/file")).status).toBe(NO);
  });

  it("does not charge what a refusal elsewhere turned away", async () => {
    const { app, limiter } = limitedApp(express, {
      defaultLimits: "5/minute",
      defaultLimitsDeductWhen: () => true,
    });
    const refuse = limiter.limit("0/minute", { overrideDefaults: false });
    app.get("/x", refuse, ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([NO, NO, NO]);
    expect(await limiter.peek("127.0.0.1", { scope: "/x" })).toEqual([]);
  });

  it("gives back as much as was charged", async () => {
    const { app, gate, limiter } = login({ cost: 3 });
    gate.open();
    const server = await serve(app);
    await server.get("/login");
    expect(await spent(limiter)).toBe(3);
    await server.get("/login?password=right").then(({ status }) => expect(status).toBe(NO));
    expect(await spent(limiter)).toBe(3);
  });

  it("gives back to the window that was charged, and to no later one", async () => {
    const clock = new ManualClock(START);
    const { app, limiter } = limitedApp(express, { clock });
    const gate = new Gate();
    app.get("/slow", limiter.limit("2/minute", { deductWhen: () => false }), async (_req, res) => {
      await gate.pass();
      res.send("right");
    });
    const server = await serve(app);
    const early = server.get("/slow");
    await gate.arrivals(1);
    clock.advance(60_000);
    const late = [server.get("/slow"), server.get("/slow")];
    await gate.arrivals(3);
    expect((await server.get("/slow")).status).toBe(NO);
    gate.open();
    await Promise.all([early, ...late]);
    expect(await spent(limiter)).toBe(0);
    expect((await server.get("/slow")).status).toBe(OK);
  });

  it("decides each limit of a text, and each neighbour, by its own condition", async () => {
    const { app, limiter } = limitedApp(express);
    app.get(
      "/x",
      limiter.limit("3/minute; 9/hour", { deductWhen: onlyWrong }),
      limiter.limit("5/minute"),
      (req, res) => {
        res.status(Number(req.query["status"])).send("x");
      },
    );
    const server = await serve(app);
    await server.statuses(2, "/x?status=200");
    await server.get("/x?status=401");
    const now = (await limiter.peek("127.0.0.1")).map(({ limit, used }) => `${used} of ${limit}`);
    expect(now.sort()).toEqual(["1 of 3 per 1 minute", "1 of 9 per 1 hour", "3 of 5 per 1 minute"]);
  });

  it("works on shared limits, mounts and routers", async () => {
    const { app, limiter } = limitedApp(express);
    const options = { deductWhen: onlyWrong };
    app.use("/mount", limiter.limit("1/minute", options));
    const router = express.Router();
    router.use(limiter.limit("1/minute", options));
    router.get("/x", (req, res) => void res.status(Number(req.query["status"])).send());
    app.get("/mount/x", (req, res) => void res.status(Number(req.query["status"])).send());
    app.use("/router", router);
    app.get("/shared", limiter.sharedLimit("1/minute", { ...options, scope: "s" }), (req, res) => {
      res.status(Number(req.query["status"])).send();
    });
    const server = await serve(app);
    for (const path of ["/mount/x", "/router/x", "/shared"]) {
      expect(await server.statuses(2, `${path}?status=200`)).toEqual([OK, OK]);
      expect(await server.statuses(2, `${path}?status=401`)).toEqual([WRONG, NO]);
    }
  });
});

describe("the answer is there when the handler ends it", () => {
  const refunds = { deductWhen: (_req: Request, res: Response) => res.statusCode >= 400 };
  type Handler = (req: Request, res: Response) => void;
  const handlers: [string, Handler][] = [
    ["res.send", (_req, res) => void res.send("x")],
    ["res.json", (_req, res) => void res.json({})],
    ["res.end", (_req, res) => void res.end()],
    ["res.end with a callback", (_req, res) => void res.end("x", () => {})],
    [
      "res.end twice",
      (_req, res) => {
        res.on("error", () => {});
        res.end("x");
        res.end();
      },
    ],
    ["res.redirect", (_req, res) => void res.redirect("/elsewhere")],
    ["res.sendStatus", (_req, res) => void res.sendStatus(204)],
    [
      "res.write and res.end",
      (_req, res) => {
        res.write("a");
        res.write("b");
        setImmediate(() => res.end("c"));
      },
    ],
    ["a stream", (_req, res) => void Readable.from(["a", "b", "c"]).pipe(res)],
    ["res.sendFile", (_req, res) => res.sendFile(import.meta.filename)],
    ["later", (_req, res) => void setTimeout(() => res.send("x"), 5)],
  ];

  it.each(handlers)("%s", async (_how, handler) => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", limiter.limit("2/minute", refunds), handler);
    const server = await serve(app);
    for (let i = 0; i < 4; i++) expect((await server.get("/x")).status).toBeLessThan(400);
    expect(await spent(limiter)).toBe(0);
    for (let i = 0; i < 4; i++) expect((await server.send("HEAD", "/x")).status).toBeLessThan(400);
    expect(await spent(limiter)).toBe(0);
  });

  it("asks once, and gives back once, when res.end is called twice", async () => {
    const { app, limiter } = limitedApp(express);
    let asked = 0;
    app.get("/keep", limiter.sharedLimit("5/minute", { scope: "s" }), ok);
    const deductWhen = () => {
      asked++;
      return false;
    };
    app.get("/x", limiter.sharedLimit("5/minute", { scope: "s", deductWhen }), (_req, res) => {
      res.on("error", () => {});
      res.end("x");
      res.end("y");
      res.end();
    });
    const server = await serve(app);
    await server.statuses(3, "/keep");
    await server.get("/x");
    expect(asked).toBe(1);
    expect(await spent(limiter)).toBe(3);
  });

  it("asks the error handler's answer when the handler throws or rejects", async () => {
    const { app, limiter } = limitedApp(express);
    const { handler } = errorSink();
    app.get("/x", limiter.limit("2/minute", refunds), (req) => {
      if (req.query["how"] === "throw") throw new Error("thrown");
      return Promise.reject(new Error("rejected"));
    });
    app.use(handler);
    const server = await serve(app);
    expect((await server.get("/x?how=throw")).status).toBe(500);
    expect((await server.get("/x?how=reject")).status).toBe(500);
    expect((await server.get("/x")).status).toBe(NO);
  });

  it("asks the error handler's answer when res.end itself throws", async () => {
    const { app, limiter } = limitedApp(express);
    const { handler } = errorSink();
    const asked: number[] = [];
    const deductWhen = (_req: unknown, res: Response) => {
      asked.push(res.statusCode);
      return false;
    };
    app.get("/x", limiter.limit("1/minute", { deductWhen }), (_req, res) => {
      res.end({ no: "text" } as never);
    });
    app.use(handler);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([500, 500]);
    expect(asked).toEqual([500, 500]);
  });

  it("asks once where other middleware hooks res.end too, before and after", async () => {
    const { app, limiter } = limitedApp(express);
    const seen: string[] = [];
    const hook = (name: string) => (_req: Request, res: Response, next: () => void) => {
      const end = res.end;
      res.end = function (this: Response, ...args: never[]) {
        seen.push(name);
        return Reflect.apply(end, this, args);
      } as typeof res.end;
      next();
    };
    app.get(
      "/x",
      hook("before"),
      limiter.limit("1/minute", {
        deductWhen: () => {
          seen.push("asked");
          return false;
        },
      }),
      hook("after"),
      ok,
    );
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, OK]);
    expect(seen).toEqual(["after", "before", "asked", "after", "before", "asked"]);
  });

  it("stays hooked by others when they hooked after us", async () => {
    const { app, limiter } = limitedApp(express);
    let ends = 0;
    app.get("/x", limiter.limit("5/minute", { deductWhen: () => false }), (_req, res) => {
      const end = res.end;
      res.end = function (this: Response, ...args: never[]) {
        ends++;
        return Reflect.apply(end, this, args);
      } as typeof res.end;
      res.on("error", () => {});
      res.end("x");
      res.end();
    });
    const server = await serve(app);
    await server.get("/x");
    expect(ends).toBe(2);
  });
});

describe("deductWhen that fails", () => {
  it.each([
    [
      "throws",
      () => {
        throw new Error("undecided");
      },
    ],
    ["rejects", () => Promise.reject(new Error("undecided"))],
  ])("%s: the charge stays, the answer goes out, and the logger hears of it", async (_how, deductWhen) => {
    const heard: unknown[][] = [];
    const logger = { warn: () => {}, error: (...details: unknown[]) => void heard.push(details) };
    const { app, limiter } = limitedApp(express, { logger });
    app.get("/x", limiter.limit("2/minute", { deductWhen }), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
    expect(heard).toEqual(Array(2).fill([expect.stringContaining("deductWhen"), new Error("undecided")]));
  });

  it("never answers: the charge stays, and nothing hangs", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/x", limiter.limit("1/minute", { deductWhen: () => new Promise<boolean>(() => {}) }), ok);
    const server = await serve(app);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("for one limit does not keep another's charge", async () => {
    const { app, limiter } = limitedApp(express);
    app.get(
      "/x",
      limiter.limit("5/minute", {
        deductWhen: () => {
          throw new Error("undecided");
        },
      }),
      limiter.limit("5/hour", { deductWhen: () => false }),
      ok,
    );
    const server = await serve(app);
    await server.get("/x");
    const now = (await limiter.peek("127.0.0.1")).map(({ limit, used }) => `${used} of ${limit}`);
    expect(now).toEqual(["1 of 5 per 1 minute"]);
  });

  it("gives nothing back, and breaks nothing, when the storage is gone by then", async () => {
    const storage = new FaultyStorage(new MemoryStorage({ clock: new ManualClock(START) }));
    const { app, limiter } = limitedApp(express, { storage });
    onTestFinished(() => limiter.close());
    app.get("/x", limiter.limit("2/minute", { deductWhen: () => false }), (_req, res) => {
      storage.fail();
      res.send("x");
    });
    const server = await serve(app);
    expect((await server.get("/x")).status).toBe(OK);
    await settled(() => storage.calls.refund === 1);
    storage.heal();
    expect(await spent(limiter)).toBe(1);
  });
});

describe("deductWhen with failOnFirstBreach: false", () => {
  it("gives back of a refused request what it says no to", async () => {
    const { app, limiter } = limitedApp(express, { failOnFirstBreach: false });
    app.get("/x", limiter.limit("5/minute", { deductWhen: onlyWrong }), limiter.limit("0/hour"), ok);
    const server = await serve(app);
    expect(await server.statuses(3, "/x")).toEqual([NO, NO, NO]);
    const now = (await limiter.peek("127.0.0.1")).filter(({ used }) => used > 0);
    expect(now).toEqual([]);
  });
});
