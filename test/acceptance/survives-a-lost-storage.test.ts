import express from "express";
import {
  Limiter,
  type LimiterOptions,
  MemoryStorage,
  type Storage,
  StorageError,
  type Verdict,
} from "express-limits";
import { FaultyStorage, ManualClock } from "express-limits/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { serve } from "../helpers/http.js";
import { errorSink, ok, START } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

expectNoUnhandledRejections();

const OK = 200;
const NO = 429;
const AWAY = 503;

afterEach(() => {
  vi.useRealTimers();
});

async function limited(
  options: LimiterOptions = {},
  storage: Storage & Partial<FaultyStorage> = newStorage(),
) {
  const app = express();
  const log: string[] = [];
  const logger = {
    warn: (line: string) => log.push(`warn ${line}`),
    error: (line: string) => log.push(`error ${line}`),
  };
  const limiter = new Limiter({
    storage,
    applicationLimits: "3 per hour",
    storageTimeout: 60,
    logger,
    ...options,
  });
  const events: string[] = [];
  limiter.on("storageError", ({ error }) => events.push(`lost: ${error.message}`));
  limiter.on("storageRecovered", () => events.push("back"));
  const { errors, handler } = errorSink();
  app.use(limiter.middleware());
  app.get("/x", ok);
  app.get("/own", limiter.limit("2 per minute"), ok);
  app.use(handler);
  const server = await serve(app);
  return { server, limiter, storage: storage as FaultyStorage, errors, events, log };
}

function newStorage(): FaultyStorage {
  return new FaultyStorage(new MemoryStorage({ clock: new ManualClock(START) }));
}

/** A storage that fails at once instead of with a promise. */
function failingAtOnce(): Storage {
  const storage = new MemoryStorage();
  const fail = () => {
    throw new Error("at once");
  };
  return Object.assign(Object.create(storage), {
    name: "sync",
    strategies: storage.strategies,
    hit: fail,
    test: fail,
    refund: fail,
    clear: fail,
    reset: fail,
    check: () => false,
  }) as Storage;
}

describe("a storage that fails", () => {
  it("makes requests fail with a StorageError and 503", async () => {
    const { server, storage, errors } = await limited();
    storage.fail(new Error("connection lost to redis://user:secret@host"));
    expect((await server.get("/x")).status).toBe(AWAY);
    expect(errors[0]).toBeInstanceOf(StorageError);
    expect(errors[0]).toMatchObject({ code: "STORAGE", status: 503, statusCode: 503, expose: false });
    expect(String(errors[0])).not.toContain("secret");
  });

  it("may fail at once, too", async () => {
    const { server, errors } = await limited({}, failingAtOnce());
    expect(await server.statuses(5, "/x")).toEqual([AWAY, AWAY, AWAY, AWAY, AWAY]);
    for (const error of errors) expect(error).toBeInstanceOf(StorageError);
  });

  it.each([new Error("x"), new StorageError("y"), "text", undefined, null, { code: 1 }])(
    "may reject with %s",
    async (reason) => {
      const { server, storage, errors } = await limited();
      storage.fail(reason ?? null);
      expect(await server.statuses(5, "/own")).toEqual([AWAY, AWAY, AWAY, AWAY, AWAY]);
      for (const error of errors) expect(error).toBeInstanceOf(StorageError);
    },
  );

  it.each([
    ["at once", (): Verdict[] => []],
    ["with a promise", async (): Promise<Verdict[]> => []],
  ])("may give fewer verdicts than it got claims, %s", async (_, hit) => {
    const storage: Storage = Object.assign(newStorage(), { hit });
    const { server, errors } = await limited({}, storage);
    expect((await server.get("/x")).status).toBe(AWAY);
    expect(errors[0]).toBeInstanceOf(StorageError);
    const { server: swallowing } = await limited({ swallowErrors: true }, storage);
    expect((await swallowing.get("/x")).status).toBe(OK);
    const { server: withFallback } = await limited({ inMemoryFallback: "1 per hour" }, storage);
    expect(await withFallback.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("tells no client where it lives", async () => {
    const storage = newStorage();
    const app = express();
    app.set("env", "production");
    const limiter = new Limiter({ storage, applicationLimits: "3 per hour" });
    app.use(limiter.middleware());
    const server = await serve(app);
    storage.fail(new Error("redis://user:secret@host"));
    const { status, body } = await server.get("/x");
    expect(status).toBe(AWAY);
    expect(body).not.toContain("redis");
  });

  it("lets requests pass with swallowErrors", async () => {
    const { server, storage, errors, events } = await limited({ swallowErrors: true });
    storage.fail();
    expect(await server.statuses(6, "/own")).toEqual([OK, OK, OK, OK, OK, OK]);
    expect(errors).toEqual([]);
    expect(events).toHaveLength(1);
  });

  it("lets requests pass where a limit only observes", async () => {
    const storage = newStorage();
    const app = express();
    const limiter = new Limiter({ storage, swallowErrors: true });
    app.get("/x", limiter.limit("1 per hour", { observe: true }), ok);
    const server = await serve(app);
    storage.fail();
    expect(await server.statuses(3, "/x")).toEqual([OK, OK, OK]);
  });

  it("is replaced by memory with inMemoryFallbackEnabled: the same limits", async () => {
    const { server, storage, errors } = await limited({ inMemoryFallbackEnabled: true, swallowErrors: true });
    storage.fail();
    expect(await server.statuses(3, "/own")).toEqual([OK, OK, NO]);
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect(errors).toEqual([]);
  });

  it("is replaced by memory with inMemoryFallback: its own limits", async () => {
    const { server, storage, errors } = await limited({ inMemoryFallback: "1 per minute" });
    expect(await server.statuses(1, "/x")).toEqual([OK]);
    storage.fail();
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect((await server.get("/x")).headers["x-ratelimit-limit"]).toBe("1");
    expect(await server.statuses(2, "/own")).toEqual([OK, NO]);
    expect(errors).toEqual([]);
  });

  it("is told of once, and floods no log", async () => {
    const { server, storage, events, log } = await limited({ swallowErrors: true });
    storage.fail(new Error("gone"));
    await server.statuses(20, "/x");
    expect(events).toEqual([expect.stringContaining("lost")]);
    expect(log.length).toBeLessThan(5);
  });

  it("is not asked any more after some failures, and answers come at once", async () => {
    const { server, storage } = await limited({ inMemoryFallbackEnabled: true });
    storage.fail();
    await server.statuses(10, "/x");
    const { hit } = storage.calls;
    expect(hit).toBeLessThan(6);
    await server.statuses(10, "/x");
    expect(storage.calls.hit).toBe(hit);
  });

  it("does not fail handlers: their errors stay theirs", async () => {
    const storage = newStorage();
    const app = express();
    const limiter = new Limiter({ storage, applicationLimits: "3 per hour", swallowErrors: true });
    const { errors, handler } = errorSink();
    app.use(limiter.middleware());
    app.get("/x", () => {
      throw new StorageError("the handler's own");
    });
    app.use(handler);
    const server = await serve(app);
    expect((await server.get("/x")).status).toBe(AWAY);
    expect(errors.map((error) => (error as Error).message)).toEqual(["the handler's own"]);
  });

  it("while giving back makes no refusal an error", async () => {
    const storage = newStorage();
    const inner = storage.refund.bind(storage);
    storage.refund = (charges) => {
      storage.fail();
      return inner(charges);
    };
    const { server, errors } = await limited({}, storage);
    await server.statuses(2, "/own");
    expect((await server.get("/own")).status).toBe(NO);
    expect(errors).toEqual([]);
  });
});

describe("a storage that hangs", () => {
  it.each([
    ["503", {}, AWAY],
    ["a pass with swallowErrors", { swallowErrors: true }, OK],
    ["memory's decision with a fallback", { inMemoryFallbackEnabled: true }, OK],
  ] as const)("is answered within storageTimeout: %s", async (_what, options, status) => {
    const { server, storage, events } = await limited(options);
    storage.hang();
    const start = performance.now();
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.get("/own")));
    expect(performance.now() - start).toBeLessThan(600);
    const statuses = new Set(answers.map((answer) => answer.status));
    expect(statuses.has(status)).toBe(true);
    if (status === AWAY) expect(statuses.size).toBe(1);
    expect(events).toHaveLength(1);
    const again = performance.now();
    await server.get("/own");
    expect(performance.now() - again).toBeLessThan(60);
  });

  it("counts in memory exactly", async () => {
    const { server, storage } = await limited({ inMemoryFallbackEnabled: true });
    storage.hang();
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.get("/own")));
    expect(answers.filter(({ status }) => status === OK)).toHaveLength(2);
  });

  it("and answers too late charges nothing", async () => {
    const { server, storage } = await limited();
    storage.delay(100);
    expect((await server.get("/x")).status).toBe(AWAY);
    await new Promise((resolve) => setTimeout(resolve, 80));
    storage.heal();
    const decision = await new Limiter({ storage }).test("3 per hour", "nobody");
    expect(decision.remaining).toBe(3);
  });
});

describe("a storage that comes back", () => {
  it("is found by a probe in the background, told once, and counts again", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { server, storage, events } = await limited({ inMemoryFallbackEnabled: true });
    expect(await server.statuses(2, "/x")).toEqual([OK, OK]);
    storage.fail(new Error("gone"));
    expect(await server.statuses(4, "/x")).toEqual([OK, OK, OK, NO]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(storage.calls.check).toBe(1);
    storage.heal();
    await vi.advanceTimersByTimeAsync(1999);
    expect(storage.calls.check).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(storage.calls.check).toBe(2);
    expect(events).toEqual([expect.stringContaining("lost"), "back"]);
    // It remembers the two from before, and nothing of the time in between.
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("is probed 1, 2, 4, … 32 seconds apart", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { server, storage } = await limited({ swallowErrors: true });
    storage.fail();
    await server.statuses(3, "/x");
    const probes: number[] = [];
    for (let second = 1; second <= 128; second++) {
      const before = storage.calls.check;
      await vi.advanceTimersByTimeAsync(1000);
      if (storage.calls.check > before) probes.push(second);
    }
    expect(probes).toEqual([1, 3, 7, 15, 31, 63, 95, 127]);
  });

  it("after one failure is noticed by the next request, if it answers at once", async () => {
    const { server, storage, events } = await limited();
    storage.fail();
    expect((await server.get("/x")).status).toBe(AWAY);
    storage.heal();
    expect((await server.get("/x")).status).toBe(OK);
    expect(events).toEqual([expect.stringContaining("lost"), "back"]);
  });

  it("after one failure is noticed by the next request, if it answers later", async () => {
    const { server, storage, events } = await limited();
    storage.fail();
    expect((await server.get("/x")).status).toBe(AWAY);
    storage.delay(0);
    expect((await server.get("/x")).status).toBe(OK);
    expect(events).toEqual([expect.stringContaining("lost"), "back"]);
  });

  it("and goes again is told again", async () => {
    const { server, storage, events } = await limited();
    for (let i = 0; i < 2; i++) {
      storage.fail();
      await server.get("/x");
      storage.delay(0);
      await server.get("/x");
    }
    expect(events.map((event) => event.slice(0, 4))).toEqual(["lost", "back", "lost", "back"]);
  });
});

describe("listeners and loggers that fail", () => {
  it("change no answer", async () => {
    const storage = newStorage();
    const broken = () => {
      throw new Error("broken logger");
    };
    const { server, limiter } = await limited({ swallowErrors: true }, storage);
    for (const name of ["breach", "allowed", "storageError", "storageRecovered"] as const) {
      limiter.on(name, broken);
      limiter.on(name, () => Promise.reject(new Error("broken listener")));
    }
    expect(await server.statuses(4, "/x")).toEqual([OK, OK, OK, NO]);
    storage.fail();
    expect((await server.get("/x")).status).toBe(OK);
    storage.delay(0);
    expect((await server.get("/x")).status).toBe(NO);
  });
});
