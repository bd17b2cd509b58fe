import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Memcached from "memcached";
import { afterEach, describe, expect, it } from "vitest";
import { StorageError } from "../../src/core/errors.js";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import { MemcachedStorage } from "../../src/memcached/index.js";
import { ask } from "../helpers/server-process.js";
import { type Server, startMemcached } from "../helpers/servers.js";
import { newClaim } from "./claims.js";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function startServer(args: readonly string[] = []): Promise<Server> {
  const server = await startMemcached({ args });
  open.push({ close: () => server.stop() });
  return server;
}

function storageOf(uri: string, commandTimeoutMs = 150): MemcachedStorage {
  const storage = new MemcachedStorage(uri, { commandTimeoutMs });
  open.push(storage);
  return storage;
}

/** A signal to stop takes a moment to reach every thread. */
async function freeze(server: Server): Promise<void> {
  server.pause();
  await sleep(100);
}

async function msUntilRejected(promise: Promise<unknown>): Promise<{ error: unknown; ms: number }> {
  const startedAt = performance.now();
  try {
    await promise;
  } catch (error) {
    return { error, ms: performance.now() - startedAt };
  }
  throw new Error("It was not rejected.");
}

describe("MemcachedStorage, when a server fails", () => {
  it("answers in time while the server hangs, and gives back what is counted when it wakes up", async () => {
    const server = await startServer();
    const storage = storageOf(server.uri);
    const claims = [newClaim({ amount: 100 }), newClaim({ amount: 50, strategy: "sliding-window-counter" })];
    await storage.hit(claims, ALL_OR_NOTHING);
    await freeze(server);
    const hits = Array.from({ length: 20 }, () => msUntilRejected(storage.hit(claims, ALL_OR_NOTHING)));
    for (const { error, ms } of await Promise.all(hits)) {
      expect(error).toBeInstanceOf(StorageError);
      expect(ms).toBeLessThan(400);
    }
    expect(await storage.check()).toBe(false);
    server.resume();
    await expect.poll(() => storage.check(), { timeout: 5000 }).toBe(true);
    await expect.poll(() => storage.test(claims)).toMatchObject([{ remaining: 99 }, { remaining: 49 }]);
  });

  it("keeps the time that the caller gives it", async () => {
    const server = await startServer();
    const storage = storageOf(server.uri, 5000);
    await storage.check();
    await freeze(server);
    const { error, ms } = await msUntilRejected(storage.hit([newClaim()], { mode: "all", timeoutMs: 50 }));
    expect(error).toMatchObject({ code: "STORAGE", message: expect.stringContaining("50 ms") });
    expect(ms).toBeLessThan(200);
    server.resume();
  });

  it("fails at once while the server is away, and finds it again by itself", async () => {
    const server = await startServer();
    const storage = storageOf(server.uri);
    const claim = newClaim({ amount: 5 });
    await storage.hit([claim], ALL_OR_NOTHING);
    await server.kill();
    const failure = () => msUntilRejected(storage.hit([claim], ALL_OR_NOTHING));
    await expect.poll(async () => String((await failure()).error)).toContain("ECONNREFUSED");
    const { error, ms } = await failure();
    expect(error).toMatchObject({ code: "STORAGE", cause: { code: "ECONNREFUSED" } });
    expect(ms).toBeLessThan(160);
    await server.restart();
    await expect.poll(() => storage.check(), { timeout: 5000 }).toBe(true);
    expect(await storage.hit([claim], ALL_OR_NOTHING)).toMatchObject([{ allowed: true, remaining: 4 }]);
  });

  it("rejects in time over the client of the package, which waits longer by itself", async () => {
    const server = await startServer();
    const client = new Memcached(`127.0.0.1:${server.port}`);
    const storage = new MemcachedStorage(client, { commandTimeoutMs: 100 });
    open.push({ close: () => client.end() });
    const claim = newClaim({ amount: 10 });
    await storage.hit([claim], ALL_OR_NOTHING);
    await freeze(server);
    const { error, ms } = await msUntilRejected(storage.hit([claim], ALL_OR_NOTHING));
    expect(error).toBeInstanceOf(StorageError);
    expect(ms).toBeLessThan(300);
    server.resume();
    await expect
      .poll(() => storage.test([claim]).then(([verdict]) => verdict?.remaining, String), { timeout: 5000 })
      .toBe(9);
  });

  it("never admits more than the amount between two flushes", async () => {
    const server = await startServer();
    const storage = storageOf(server.uri, 2000);
    for (const strategy of ["fixed-window", "token-bucket"] as const) {
      const claim = newClaim({ strategy, amount: 5 });
      let admitted = 0;
      for (let flushes = 0; flushes < 10; flushes++) {
        const hits = Array.from({ length: 20 }, () => storage.hit([claim], ALL_OR_NOTHING));
        const flushed = ask(server.port, "flush_all\r\n");
        const verdicts = await Promise.all(hits);
        await flushed;
        admitted += verdicts.filter(([verdict]) => verdict?.allowed).length;
      }
      expect(admitted).toBeLessThanOrEqual(11 * 5);
    }
  });

  it("rejects what a full server refuses to store, and counts on what is there", async () => {
    const server = await startServer([
      "-m",
      "1",
      "-M",
      "-I",
      "1k",
      "-o",
      "slab_chunk_max=512,no_lru_maintainer",
    ]);
    const storage = storageOf(server.uri, 2000);
    const known = newClaim({ amount: 9 });
    await storage.hit([known], ALL_OR_NOTHING);
    const isFull = async () => {
      const claims = Array.from({ length: 2000 }, () => newClaim({ key: `filler-${Math.random()}` }));
      const hits = await Promise.allSettled(claims.map((claim) => storage.hit([claim], ALL_OR_NOTHING)));
      return hits.find((hit) => hit.status === "rejected")?.reason;
    };
    let refusal: unknown;
    for (let i = 0; i < 50 && refusal === undefined; i++) refusal = await isFull();
    expect(refusal).toMatchObject({
      code: "STORAGE",
      cause: { message: expect.stringMatching(/out of memory/i) },
    });
    expect(await storage.hit([known], ALL_OR_NOTHING)).toMatchObject([{ allowed: true, remaining: 7 }]);
  });

  it("loses only the keys of the server that is down", async () => {
    const servers = [await startServer(), await startServer(), await startServer()];
    const storage = storageOf(`memcached://${servers.map(({ port }) => `127.0.0.1:${port}`).join(",")}`);
    const claims = Array.from({ length: 60 }, (_, i) => newClaim({ key: `client-${i}` }));
    await Promise.all(claims.map((claim) => storage.hit([claim], ALL_OR_NOTHING)));
    await servers[1]!.kill();
    await sleep(50);
    const hits = await Promise.allSettled(claims.map((claim) => storage.hit([claim], ALL_OR_NOTHING)));
    const served = hits.flatMap((hit) => (hit.status === "fulfilled" ? [hit.value[0]?.remaining] : []));
    expect(new Set(served)).toEqual(new Set([1]));
    expect(served.length).toBeGreaterThan(20);
    expect(served.length).toBeLessThan(60);
    expect(await storage.check()).toBe(false);
  });

  it("gives back what the others charged when one server of a list is down", async () => {
    const servers = [await startServer(), await startServer(), await startServer()];
    const storage = storageOf(
      `memcached://${servers.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
      2000,
    );
    const claims = Array.from({ length: 40 }, (_, i) => newClaim({ key: `client-${i}` }));
    expect(await storage.hit(claims, ALL_OR_NOTHING)).toHaveLength(40);
    await servers[1]!.kill();
    await expect(storage.hit(claims, ALL_OR_NOTHING)).rejects.toBeInstanceOf(StorageError);
    const left = async () => {
      const tests = await Promise.allSettled(claims.map((claim) => storage.test([claim])));
      return tests.flatMap((test) => (test.status === "fulfilled" ? [test.value[0]?.remaining] : []));
    };
    await expect.poll(async () => new Set(await left())).toEqual(new Set([2]));
    expect((await left()).length).toBeGreaterThan(0);
    expect((await left()).length).toBeLessThan(40);
  });

  it("counts over a unix socket", async () => {
    const server = await startServer();
    const path = join(tmpdir(), `express-limits-${process.pid}.sock`);
    const socket = createServer((from) => {
      const to = connect(server.port, "127.0.0.1");
      from.pipe(to).pipe(from);
    }).listen(path);
    await once(socket, "listening");
    open.push({ close: () => socket.close(() => rmSync(path, { force: true })) });
    const storage = storageOf(`memcached://${path}`);
    expect(await storage.hit([newClaim()], ALL_OR_NOTHING)).toMatchObject([{ remaining: 2 }]);
  });

  it("lets every item expire, after its window", async () => {
    const server = await startServer();
    const storage = storageOf(server.uri, 2000);
    const windows = [
      { multiples: 500, unit: "millisecond", seconds: 0.5 },
      { multiples: 1, unit: "minute", seconds: 60 },
      { multiples: 31, unit: "day", seconds: 31 * 86_400 },
    ] as const;
    for (const strategy of storage.strategies) {
      for (const window of windows) await storage.hit([newClaim({ ...window, strategy })], ALL_OR_NOTHING);
    }
    const dump = await ask(server.port, "lru_crawler metadump all\r\n");
    const items = [...dump.matchAll(/key=(\S+) exp=(\d+)/g)];
    expect(items).toHaveLength(windows.length * storage.strategies.length);
    const now = Date.now() / 1000;
    for (const { seconds } of windows) {
      for (const [, key, exp] of items.filter(([line]) => line.includes(`%2F${seconds * 1000}%2F`))) {
        const isFixed = key?.includes("%2Ffw");
        const life = Number(exp) - now;
        expect(life, key).toBeGreaterThan(isFixed ? 0 : seconds / 3 - 1);
        expect(life, key).toBeLessThan(2.3 * seconds + 2 * 86_400);
      }
    }
  });

  it("is closed for good", async () => {
    const server = await startServer();
    const storage = storageOf(server.uri);
    await storage.hit([newClaim()], ALL_OR_NOTHING);
    storage.close();
    await expect(storage.hit([newClaim()], ALL_OR_NOTHING)).rejects.toBeInstanceOf(StorageError);
    expect(await storage.check()).toBe(false);
  });
});
