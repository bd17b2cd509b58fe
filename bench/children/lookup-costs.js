// One candidate of lookup.js: CPU nanoseconds per request to an app of 200 routes.
//   node children/lookup-costs.js <candidate> <URLs>
import express from "express";
import { cpuNs } from "../lib/cpu.js";
import { addresses } from "../lib/keys.js";
import { applicationLimit, defaultLimit } from "../lib/middlewares.js";
import { names } from "../lib/options.js";
import { batches, pair } from "../lib/requests.js";
import { importRoot } from "../lib/subject.js";
import { answerOrders } from "../lib/workers.js";

/** Few at a time: a request's middleware runs when the request is young. */
const BATCH = 25;
const ROUTERS = 20;
const ROUTES_PER_ROUTER = 10;
const KNOWN_URLS = Number(names[1]);
const NEW_URLS = 50_000;
/** Routes that the URLs lead to: those with a parameter. */
const ROUTES_MET = (ROUTERS * ROUTES_PER_ROUTER) / 2;

const ips = addresses(ROUTES_MET);
const work = { limits: 1, headers: "none" };
const ours = await importRoot();

/** 20 routers of 10 routes: half of them with a parameter. */
function appOf200Routes(handler) {
  const app = express();
  for (let r = 0; r < ROUTERS; r++) {
    const router = express.Router();
    for (let n = 0; n < ROUTES_PER_ROUTER; n++)
      router.get(n % 2 === 0 ? `/item${n}` : `/item${n}/:id`, handler);
    app.use(`/part${r}`, router);
  }
  return app;
}

/** The nth URL; every second one has a parameter, which makes all of these different. */
function url(n) {
  const [part, item] = [n % ROUTERS, (2 * Math.floor(n / ROUTERS) + 1) % ROUTES_PER_ROUTER];
  return `/part${part}/item${item}/${n}`;
}
const knownUrls = Array.from({ length: KNOWN_URLS }, (_, n) => url(n));
const newUrls = Array.from({ length: NEW_URLS }, (_, n) => url(KNOWN_URLS + n));

const app = appOf200Routes((_req, _res, next) => next("router"));
/** The URL's text is new each time, as that of a request is: one that was looked up before remembers its hash. */
const at = (urls) => (n) => pair(app, { ip: ips[n % ROUTES_MET], url: received(urls[n % urls.length]) });
const received = (text) => Buffer.from(text, "latin1").latin1Slice();
const endpoints = new Map(knownUrls.map((known) => [known, {}]));
/** Keeps what is found alive. */
export let sink;
const fromMap = (req, _res, next) => {
  sink = endpoints.get(req.url);
  next();
};

const [middleware, urls] = {
  bare: () => [(_req, _res, next) => next(), knownUrls],
  floor: () => [fromMap, knownUrls],
  without: () => [applicationLimit(ours, work), knownUrls],
  hit: () => [defaultLimit(ours, work), knownUrls],
  miss: () => [defaultLimit(ours, work), newUrls],
  express: () => [(req, res, next) => app.router(req, res, next), knownUrls],
}[names[0]]();
const task = await batches(middleware, at(urls), BATCH);
answerOrders((requests) => cpuNs(task, { iterations: requests / BATCH, pieces: BATCH }));
