// One table of middleware.js: CPU nanoseconds per request, with one kind of headers, one limit or three, one key
// or many. An app has one configuration, so each table has a process of its own.
//   node children/middleware-costs.js <limits> <none|legacy|ietf> <keys>
import express from "express";
import { answer } from "../lib/children.js";
import { cpuNs } from "../lib/cpu.js";
import { addresses } from "../lib/keys.js";
import {
  applicationLimit,
  defaultLimit,
  expressRateLimit,
  floor,
  floorWithIp,
  rateLimiterFlexible,
  routeLimit,
} from "../lib/middlewares.js";
import { choose, names } from "../lib/options.js";
import { batches, pair } from "../lib/requests.js";
import { importRoot } from "../lib/subject.js";

const BATCH = 100;

const [limits, headers, keyCount] = [Number(names[0]), names[1], Number(names[2])];
const work = { limits, headers };
const ours = await importRoot();
const keys = addresses(keyCount);

const app = express();
app.get("/", (_req, res) => res.end());
const limitHere = routeLimit(ours, work);
app.get("/limited", limitHere, (_req, res) => res.end());
const limitedRoute = app.router.stack.find(({ route }) => route?.path === "/limited").route;

const anywhere = (n) => pair(app, { ip: keys[n % keyCount] });
const onRoute = (n) => pair(app, { ip: keys[n % keyCount], url: "/limited", route: limitedRoute });

const tasks = [
  await batches("bare next()", (_req, _res, next) => next(), anywhere, BATCH),
  await batches("floor", floor(work), anywhere, BATCH),
  await batches("floor, req.ip", floorWithIp(work), anywhere, BATCH),
  await batches("express-limits, application limit", applicationLimit(ours, work), anywhere, BATCH),
  await batches("express-limits, default limit", defaultLimit(ours, work), anywhere, BATCH),
  await batches("express-limits, limit() on a route", limitHere, onRoute, BATCH),
  await batches("express-rate-limit", expressRateLimit(work), anywhere, BATCH),
  await batches("rate-limiter-flexible", rateLimiterFlexible(work), anywhere, BATCH),
];

// The warm-up passes over every key at least once, so that what is measured are keys that are known.
const iterations = Math.max(choose(200, 25), keyCount / BATCH / 4);
const costs = await cpuNs(tasks, { rounds: choose(9, 5), warmUps: 4, iterations, pieces: BATCH });
answer({ costs: Object.fromEntries(costs) });
