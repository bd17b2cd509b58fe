import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import express from "express";
import { Limiter, type LimitMiddleware, MemoryStorage } from "express-limits";
import { describe, expect, it } from "vitest";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const MEGABYTE = 1024 * 1024;

function heap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Runs a middleware without a server: thousands of requests in a second. */
function pass(middleware: LimitMiddleware, url: string): Promise<void> {
  const app = express();
  return new Promise((resolve) => {
    const req = { app, url, method: "GET", headers: {}, socket: { remoteAddress: "192.0.2.1" } };
    const res = { setHeader: () => res, headersSent: false, hasHeader: () => true };
    middleware(req as never, res as never, () => resolve());
  });
}

describe("a limiter keeps no more than it must", () => {
  // Wanted; each request leaves a policy behind today (Counter keeps one tail for each Policy object).
  it("of limits that a function gives anew for each request", async () => {
    const limiter = new Limiter();
    const middleware = limiter.limit(() => "1000000/minute");
    for (let i = 0; i < 1000; i++) await pass(middleware, "/x");
    const before = heap();
    for (let i = 0; i < 20_000; i++) await pass(middleware, "/x");
    expect(heap() - before).toBeLessThan(2 * MEGABYTE);
  });

  // Wanted; a stored key holds on to the text that it was cut out of today (V8's sliced strings).
  it("of the long text that a key was cut out of", async () => {
    const storage = new MemoryStorage();
    const limiter = new Limiter({ storage });
    const middleware = limiter.limit("5/minute", {
      keyFunc: ({ url }) => url.slice(url.indexOf("=") + 1, url.indexOf("&")),
    });
    const padding = "p".repeat(15_000);
    const before = heap();
    for (let i = 0; i < 2000; i++) {
      const url = Buffer.from(`/x?session=some-longer-session-${i}&pad=${padding}`).toString("latin1");
      await pass(middleware, url);
    }
    expect(heap() - before).toBeLessThan(10 * MEGABYTE);
    expect(storage.size).toBe(2000);
  });
});
