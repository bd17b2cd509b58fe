// What it costs to know the route before Express does: an app of 200 routes, requests for 1,000 URLs and for ever
// new ones. Headers are off, so that the rest stands out.
//
// Each route that is met has a client of its own. So the limit that looks nothing up, and counts clients over all
// routes, has as many counters as the one that counts routes apart: what a storage takes to reach a counter that was
// not touched lately is paid on both sides, and is no part of the difference.
import { number, spread, table } from "./lib/markdown.js";
import { choose } from "./lib/options.js";
import { figure, publish } from "./lib/report.js";
import { median, minus } from "./lib/stats.js";
import { askInTurns } from "./lib/workers.js";

const KNOWN_URLS = 1000;

const NAMES = {
  bare: "bare next()",
  floor: "floor: URL looked up in a Map",
  without: "express-limits without look-ahead (application limit)",
  hit: `express-limits, ${number(KNOWN_URLS)} URLs`,
  miss: "express-limits, every URL new",
  express: "Express itself, to find the route and call it",
};
const candidates = Object.entries(NAMES).map(([id, name]) => ({ name, args: [id, KNOWN_URLS] }));
const costs = await askInTurns("lookup-costs", candidates, choose(5000, 2000), {
  rounds: choose(61, 5),
  warmUps: choose(12, 10),
});

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
