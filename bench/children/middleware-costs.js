// One candidate of middleware.js: CPU nanoseconds per request.
//   node children/middleware-costs.js <candidate> <limits> <none|legacy|ietf> <keys>
import express from "express";
import { cpuNs } from "../lib/cpu.js";
import { addresses } from "../lib/keys.js";
import * as middlewares from "../lib/middlewares.js";
import { names } from "../lib/options.js";
import { batches, pair } from "../lib/requests.js";
import { importRoot } from "../lib/subject.js";
import { answerOrders } from "../lib/workers.js";

/** Few at a time: a request's middleware runs when the request is young. */
const BATCH = 25;

const [candidate, limits, headers, keyCount] = [names[0], Number(names[1]), names[2], Number(names[3])];
const work = { limits, headers };
const keys = addresses(keyCount);
const app = express();
app.get("/", (_req, res) => res.end());

/** The middleware, and the route it stands on. */
const make = {
  bare: () => ({ middleware: (_req, _res, next) => next() }),
  floor: () => ({ middleware: middlewares.floor(work) }),
  "floor-ip": () => ({ middleware: middlewares.floorWithIp(work) }),
  application: async () => ({ middleware: middlewares.applicationLimit(await importRoot(), work) }),
  default: async () => ({ middleware: middlewares.defaultLimit(await importRoot(), work) }),
  route: async () => {
    const middleware = middlewares.routeLimit(await importRoot(), work);
    app.get("/limited", middleware, (_req, res) => res.end());
    const { route } = app.router.stack.find((layer) => layer.route?.path === "/limited");
    return { middleware, at: { url: "/limited", route } };
  },
  "express-rate-limit": () => ({ middleware: middlewares.expressRateLimit(work) }),
  "rate-limiter-flexible": () => ({ middleware: middlewares.rateLimiterFlexible(work) }),
}[candidate];

const { middleware, at } = await make();
const task = await batches(middleware, (n) => pair(app, { ip: keys[n % keyCount], ...at }), BATCH);
answerOrders((requests) => cpuNs(task, { iterations: requests / BATCH, pieces: BATCH }));
