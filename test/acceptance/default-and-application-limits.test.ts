import express from "express";
import { type LimiterOptions, RateLimit } from "express-limits";
import { describe, expect, it } from "vitest";
import { serve } from "../helpers/http.js";
import { errorSink, limitedApp, ok } from "../helpers/limited-app.js";
import { expectNoUnhandledRejections } from "../helpers/unhandled-rejections.js";

const OK = 200;
const NO = 429;

expectNoUnhandledRejections();

/** Two routes, `/x` for GET and POST, and `/y`, which answers the status that it is asked for. */
async function served(options: LimiterOptions) {
  const made = limitedApp(express, options);
  const { app } = made;
  const { errors, handler } = errorSink();
  app.get("/x", ok);
  app.post("/x", ok);
  app.get("/y", (req, res) => {
    res.status(Number(req.query["status"] ?? 200)).send("y");
  });
  app.use(handler);
  return { ...made, errors, server: await serve(app) };
}

const kinds = ["default", "application"] as const;

describe.each(kinds)("%s limits", (kind) => {
  const name = `${kind}Limits` as const;

  describe("PerMethod", () => {
    it("is off: all methods count together", async () => {
      const { server } = await served({ [name]: "2/minute" });
      expect((await server.get("/x")).status).toBe(OK);
      expect((await server.send("POST", "/x")).status).toBe(OK);
      expect((await server.send("POST", "/x")).status).toBe(NO);
    });

    it("gives each method its counter, and HEAD that of GET", async () => {
      const { server } = await served({ [name]: "2/minute", [`${name}PerMethod`]: true });
      expect((await server.get("/x")).status).toBe(OK);
      expect((await server.send("HEAD", "/x")).status).toBe(OK);
      expect((await server.get("/x")).status).toBe(NO);
      expect((await server.send("HEAD", "/x")).status).toBe(NO);
      expect((await server.send("POST", "/x")).status).toBe(OK);
      expect((await server.send("POST", "/x")).status).toBe(OK);
      expect((await server.send("POST", "/x")).status).toBe(NO);
    });
  });

  describe("ExemptWhen", () => {
    it.each([
      ["at once", (value: boolean) => value],
      ["later", (value: boolean) => Promise.resolve(value)],
    ])("lifts them for the requests that it names: %s", async (_when, answer) => {
      const { server } = await served({
        [name]: "1/minute",
        [`${name}ExemptWhen`]: (req: express.Request) => answer(req.headers["x-team"] === "1"),
      });
      expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
      const free = await server.get("/x", { "x-team": "1" });
      expect([free.status, free.headers["x-ratelimit-limit"]]).toEqual([OK, undefined]);
      expect((await server.get("/x")).status).toBe(NO);
    });

    it("hands on what it throws, and charges nothing", async () => {
      const { server, errors } = await served({
        [name]: "1/minute",
        [`${name}ExemptWhen`]: (req: express.Request) => {
          if (req.query["fail"] === "1") throw new Error("no such team");
          return false;
        },
      });
      expect((await server.get("/x?fail=1")).status).toBe(500);
      expect(errors).toEqual([new Error("no such team")]);
      expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    });
  });

  describe("DeductWhen", () => {
    it.each([
      ["at once", (value: boolean) => value],
      ["later", (value: boolean) => Promise.resolve(value)],
    ])("gives back what it says no to: %s", async (_when, answer) => {
      const { server } = await served({
        [name]: "2/minute",
        [`${name}DeductWhen`]: (_req: unknown, res: express.Response) => answer(res.statusCode === 404),
      });
      expect(await server.statuses(5, "/y")).toEqual([OK, OK, OK, OK, OK]);
      expect(await server.statuses(3, "/y?status=404")).toEqual([404, 404, NO]);
      expect((await server.get("/y")).status).toBe(NO);
    });

    it("is not asked about a refusal", async () => {
      let asked = 0;
      const { server } = await served({
        [name]: "1/minute",
        [`${name}DeductWhen`]: () => {
          asked++;
          return true;
        },
      });
      expect(await server.statuses(4, "/x")).toEqual([OK, NO, NO, NO]);
      expect(asked).toBe(1);
    });
  });

  describe("Cost", () => {
    it("is how much one request takes", async () => {
      const { server } = await served({ [name]: "5/minute", [`${name}Cost`]: 2 });
      const first = await server.get("/x");
      expect(first.headers["x-ratelimit-remaining"]).toBe("3");
      expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    });

    it.each([
      ["at once", (cost: number) => cost],
      ["later", (cost: number) => Promise.resolve(cost)],
    ])("may be asked: %s", async (_when, answer) => {
      const { server } = await served({
        [name]: "5/minute",
        [`${name}Cost`]: (req: express.Request) => answer(Number(req.query["cost"])),
      });
      expect((await server.get("/x?cost=4")).headers["x-ratelimit-remaining"]).toBe("1");
      expect((await server.get("/x?cost=2")).status).toBe(NO);
      expect((await server.get("/x?cost=0")).headers["x-ratelimit-remaining"]).toBe("1");
      expect((await server.get("/x?cost=1")).status).toBe(OK);
    });

    it.each(["NaN", "-1", "0.5", "Infinity"])("of %s is an error, and charges nothing", async (cost) => {
      const { server, errors } = await served({
        [name]: "2/minute",
        [`${name}Cost`]: (req: express.Request) => Number(req.query["cost"] ?? 1),
      });
      expect((await server.get(`/x?cost=${cost}`)).status).toBe(500);
      expect(errors).toEqual([
        expect.objectContaining({ code: "CONFIGURATION", message: expect.stringContaining(cost) }),
      ]);
      expect(await server.statuses(3, "/x")).toEqual([OK, OK, NO]);
    });
  });

  it("given as RateLimit are not touched by any of these", async () => {
    const { server } = await served({
      [name]: [new RateLimit(3, 1, "minute")],
      [`${name}PerMethod`]: true,
      [`${name}Cost`]: 2,
      [`${name}ExemptWhen`]: () => true,
      [`${name}DeductWhen`]: () => false,
    });
    expect((await server.get("/x")).headers["x-ratelimit-remaining"]).toBe("2");
    expect((await server.send("POST", "/x")).headers["x-ratelimit-remaining"]).toBe("1");
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("given as text and as RateLimit in one list are told apart", async () => {
    const { server } = await served({
      [name]: ["4/minute", new RateLimit(3, 1, "hour")],
      [`${name}Cost`]: 2,
    });
    // Two of four, and one of three: the shorter window is shown.
    expect((await server.get("/x")).headers["x-ratelimit-remaining"]).toBe("2");
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
  });

  it("may be a function, to which the options apply", async () => {
    const { server } = await served({
      [name]: (req: express.Request) => (req.headers["x-plan"] === "gold" ? "8/minute" : "4/minute"),
      [`${name}Cost`]: 4,
    });
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect(await server.statuses(3, "/x", { "x-plan": "gold" })).toEqual([OK, OK, NO]);
  });
});

describe("default limits", () => {
  it("count each route by itself", async () => {
    const { server } = await served({ defaultLimits: "1/minute" });
    expect(await server.statuses(2, "/x")).toEqual([OK, NO]);
    expect(await server.statuses(2, "/y")).toEqual([OK, NO]);
  });
});

describe("application limits", () => {
  it("count all routes together, and what no route answers", async () => {
    const { server } = await served({ applicationLimits: "3/minute" });
    expect((await server.get("/x")).status).toBe(OK);
    expect((await server.get("/y")).status).toBe(OK);
    expect((await server.get("/nothing")).status).toBe(404);
    expect((await server.get("/x")).status).toBe(NO);
    expect((await server.get("/nothing")).status).toBe(NO);
  });

  it("apply beside default limits, and what either refuses costs neither", async () => {
    const { server } = await served({ applicationLimits: "4/minute", defaultLimits: "1/minute" });
    expect(await server.statuses(5, "/x")).toEqual([OK, NO, NO, NO, NO]);
    expect((await server.get("/y")).status).toBe(OK);
    expect((await server.get("/nothing")).status).toBe(404);
    expect((await server.send("DELETE", "/other")).status).toBe(NO);
  });
});
