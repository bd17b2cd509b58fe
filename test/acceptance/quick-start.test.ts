import { Limiter } from "express-limits";
import { describe, expect, it } from "vitest";
import { expresses } from "../helpers/expresses.js";
import { serve } from "../helpers/http.js";

describe.each(expresses)("the quick start on $name", ({ express }) => {
  function quickStart() {
    const app = express();
    const limiter = new Limiter({ defaultLimits: ["2 per minute", "1 per second"] });
    app.use(limiter.middleware());
    app.get("/slow", limiter.limit("1 per day"), (_req, res) => {
      res.send("24");
    });
    app.get("/fast", (_req, res) => {
      res.send("42");
    });
    app.get("/ping", limiter.exempt, (_req, res) => {
      res.send("PONG");
    });
    return app;
  }

  const TOO_MANY = (limit: string) =>
    '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n' +
    "<title>429 Too Many Requests</title>\n<h1>Too Many Requests</h1>\n" +
    `<p>${limit}</p>\n`;

  it("gives the default limits to a route without limits of its own", async () => {
    const server = await serve(quickStart());
    const first = await server.get("/fast");
    expect([first.status, first.body]).toEqual([200, "42"]);
    await new Promise((resolve) => setTimeout(resolve, 1010));
    expect((await server.get("/fast")).body).toBe("42");
    await new Promise((resolve) => setTimeout(resolve, 1010));
    const third = await server.get("/fast", { accept: "*/*" });
    expect([third.status, third.body]).toEqual([429, TOO_MANY("2 per 1 minute")]);
  });

  it("lets a route's own limit replace the default limits", async () => {
    const server = await serve(quickStart());
    expect((await server.get("/slow")).body).toBe("24");
    const second = await server.get("/slow", { accept: "*/*" });
    expect([second.status, second.body]).toEqual([429, TOO_MANY("1 per 1 day")]);
  });

  it("never limits an exempt route", async () => {
    const server = await serve(quickStart());
    for (let i = 0; i < 10; i++) expect((await server.get("/ping")).body).toBe("PONG");
  });
});
