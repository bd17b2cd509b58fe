// What it costs to know the route before Express does: an app of 200 routes, requests for 1,000 URLs and for ever
// new ones. Headers are off, so that the rest stands out.
//
// Each route that is met has a client of its own. So the limit that looks nothing up, and counts clients over all
// routes, has as many counters as the one that counts routes apart: what a storage takes to reach a counter that was
// not touched lately is paid on both sides, and is no part of the difference.
import express from "express";
import { cpuNs } from "./lib/cpu.js";
import { addresses } from "./lib/keys.js";
import { number, spread, table } from "./lib/markdown.js";
import { applicationLimit, defaultLimit } from "./lib/middlewares.js";
import { choose } from "./lib/options.js";
import { figure, publish } from "./lib/report.js";
import { batches, pair } from "./lib/requests.js";
import { median, minus } from "./lib/stats.js";
import { importRoot } from "./lib/subject.js";

const BATCH = 100;
const ROUTERS = 20;
const ROUTES_PER_ROUTER = 10;
const KNOWN_URLS = 1000;
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

const NAMES = {
  bare: "bare next()",
  floor: "floor: URL looked up in a Map",
  without: "express-limits without look-ahead (application limit)",
  hit: `express-limits, ${number(KNOWN_URLS)} URLs`,
  miss: "express-limits, every URL new",
  express: "Express itself, to find the route and call it",
};
const tasks = [
  await batches(NAMES.bare, (_req, _res, next) => next(), at(knownUrls), BATCH),
  await batches(NAMES.floor, fromMap, at(knownUrls), BATCH),
  await batches(NAMES.without, applicationLimit(ours, work), at(knownUrls), BATCH),
  await batches(NAMES.hit, defaultLimit(ours, work), at(knownUrls), BATCH),
  await batches(NAMES.miss, defaultLimit(ours, work), at(newUrls), BATCH),
  await batches(NAMES.express, (req, res, next) => app.router(req, res, next), at(knownUrls), BATCH),
];
const costs = await cpuNs(tasks, { rounds: choose(31, 5), iterations: choose(40, 20), pieces: BATCH });

const added = (name, to) => minus(costs.get(name), costs.get(to));
const row = (name, to) => [name, spread(costs.get(name)), to === undefined ? "-" : spread(added(name, to))];
const rows = [
  row(NAMES.bare),
  row(NAMES.floor, NAMES.bare),
  row(NAMES.without),
  row(NAMES.hit, NAMES.without),
  row(NAMES.miss, NAMES.without),
  row(NAMES.express, NAMES.bare),
];
const ns = median(added(NAMES.hit, NAMES.without));
await publish({
  markdown: table(["200 routes", "ns per request", "added ns"], rows),
  figures: [
    figure("look-ahead, 200 routes, 1,000 URLs: added per request", ns, {
      most: 500,
      text: `${number(ns)} ns`,
    }),
  ],
});
