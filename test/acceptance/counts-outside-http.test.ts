import express from "express";
import { byHeader } from "express-limits";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { limitedApp, ok } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

describe("hit and test", () => {
  it("decide without a request, and never throw a refusal", async () => {
    const { limiter, clock } = limitedApp(express);
    expect(await limiter.hit("2/minute; 9/hour", "job-1")).toMatchObject({
      allowed: true,
      remaining: 1,
      key: "job-1",
    });
    expect(await limiter.hit("2/minute; 9/hour", "job-1")).toMatchObject({ allowed: true, remaining: 0 });
    const refused = await limiter.hit("2/minute; 9/hour", "job-1");
    expect(refused).toMatchObject({ allowed: false, retryAfterMs: 60_000 });
    expect(refused.limits.map(({ used }) => used)).toEqual([2, 2]);
    clock.advance(60_000);
    expect((await limiter.test("2/minute; 9/hour", "job-1")).allowed).toBe(true);
    expect((await limiter.test("2/minute; 9/hour", "job-1")).remaining).toBe(2);
  });

  it("share their counters with sharedLimit of the same scope, limit and key", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/mail", limiter.sharedLimit("3/minute", { scope: "mail", keyFunc: byHeader("x-user") }), ok);
    const server = await serve(app);
    expect((await server.get("/mail", { "x-user": "ann" })).status).toBe(OK);
    expect(await limiter.hit("3/minute", "ann", { scope: "mail" })).toMatchObject({
      remaining: 1,
      scope: "mail",
    });
    expect((await server.get("/mail", { "x-user": "ann" })).headers["x-ratelimit-remaining"]).toBe("0");
    expect((await limiter.test("3/minute", "ann", { scope: "mail" })).allowed).toBe(false);
    expect((await server.get("/mail", { "x-user": "ann" })).status).toBe(NO);
    // Another scope, limit, or key is another counter.
    expect((await limiter.test("3/minute", "ann")).remaining).toBe(3);
    expect((await limiter.test("4/minute", "ann", { scope: "mail" })).remaining).toBe(4);
    expect((await limiter.test("3/minute", "bob", { scope: "mail" })).remaining).toBe(3);
  });

  it("take a cost, a strategy and a burst", async () => {
    const { limiter } = limitedApp(express);
    expect(await limiter.hit("5/minute", "a", { cost: 4 })).toMatchObject({ remaining: 1 });
    expect(await limiter.hit("5/minute", "a", { cost: 2 })).toMatchObject({ allowed: false, remaining: 1 });
    expect(await limiter.hit("5/minute", "b", { strategy: "token-bucket", burst: 2 })).toMatchObject({
      remaining: 1,
    });
  });

  it("refuse what is no key, no cost, or no limit", async () => {
    const { limiter } = limitedApp(express);
    const hit = async (...args: unknown[]) => Reflect.apply(limiter.hit, limiter, args);
    for (const key of ["", undefined, null, 5, {}]) await expect(hit("1/minute", key)).rejects.toThrow(/key/);
    for (const cost of [-1, 0.5, Number.NaN])
      await expect(hit("1/minute", "a", { cost })).rejects.toThrow(/cost/);
    await expect(hit("10 per hor", "a")).rejects.toMatchObject({ code: "LIMIT_SYNTAX" });
    await expect(hit([], "a")).rejects.toMatchObject({ code: "CONFIGURATION" });
  });

  it("are exact under concurrency", async () => {
    const { limiter } = limitedApp(express);
    const decisions = await Promise.all(Array.from({ length: 100 }, () => limiter.hit("7/minute", "a")));
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(7);
  });

  it("are seen by peek and forgotten by clear and reset, once the scope was met in a request", async () => {
    const { app, limiter } = limitedApp(express);
    app.get("/mail", limiter.sharedLimit("3/minute", { scope: "mail", keyFunc: byHeader("x-user") }), ok);
    const server = await serve(app);
    await server.get("/mail", { "x-user": "bob" });
    await limiter.hit("3/minute", "ann", { scope: "mail" });
    expect((await limiter.peek("ann")).map(({ used }) => used)).toEqual([1]);
    await limiter.clear("ann");
    expect((await limiter.test("3/minute", "ann", { scope: "mail" })).remaining).toBe(3);
    await limiter.hit("3/minute", "ann", { scope: "mail" });
    await limiter.reset();
    expect((await limiter.test("3/minute", "ann", { scope: "mail" })).remaining).toBe(3);
  });
});
