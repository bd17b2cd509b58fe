// What a request pays for a middleware that counts in memory: CPU nanoseconds over a bare next().
import { number, spread, table, times } from "./lib/markdown.js";
import { choose } from "./lib/options.js";
import { figure, publish } from "./lib/report.js";
import { mean, minus } from "./lib/stats.js";
import { askInTurns } from "./lib/workers.js";

const manyKeys = choose(100_000, 10_000);
const every = [1, 3].flatMap((limits) =>
  ["legacy", "ietf", "none"].flatMap((headers) => [1, manyKeys].map((keys) => ({ limits, headers, keys }))),
);
const few = [
  { limits: 1, headers: "legacy", keys: 1 },
  { limits: 1, headers: "none", keys: 1 },
];
const settings = choose(every, few);

const BARE = "bare next()";
const FLOOR = "floor";
const OURS = "express-limits, application limit";
const OURS_THREE = "express-limits, 3 application limits";

const candidatesOf = ({ limits, headers, keys }) => {
  const of = (name, candidate, count = limits) => ({ name, args: [candidate, count, headers, keys] });
  return [
    of(BARE, "bare"),
    of(FLOOR, "floor"),
    of("floor, req.ip", "floor-ip"),
    of(OURS, "application"),
    ...(limits === 1 ? [of(OURS_THREE, "application", 3)] : []),
    of("express-limits, default limit", "default"),
    of("express-limits, limit() on a route", "route"),
    of("express-rate-limit", "express-rate-limit"),
    of("rate-limiter-flexible", "rate-limiter-flexible"),
  ];
};

const REQUESTS = choose(5000, 1000);

/**
 * What each costs more than a bare `next()`, and that compared: means, since the garbage collector stops some rounds
 * and not others, and medians would leave its work out.
 */
const netOf = (costs) => (name) => mean(minus(costs.get(name), costs.get(BARE)));

function row(name, costs) {
  const net = netOf(costs);
  if (name === BARE) return [name, spread(costs.get(name)), "-", "-", "-"];
  const compared = (other) => times(net(name) / net(other));
  return [name, spread(costs.get(name)), number(net(name)), compared(FLOOR), compared("express-rate-limit")];
}

/** The setting that has targets. */
const isHot = ({ limits, headers, keys }) => limits === 1 && headers === "legacy" && keys === 1;

const titleOf = ({ limits, headers, keys }) =>
  `**${limits} ${limits === 1 ? "limit" : "limits"}, ${headers} headers, ${keys === 1 ? "one key" : `${number(keys)} keys`}**`;

const tables = [];
let hot;
for (const setting of settings) {
  const costs = await askInTurns("middleware-costs", candidatesOf(setting), REQUESTS, {
    rounds: choose(isHot(setting) ? 81 : 21, 5),
    // They pass over every key at least once: what is measured are keys that are known.
    warmUps: Math.max(choose(12, 20), Math.ceil(setting.keys / REQUESTS)),
  });
  const rows = [...costs.keys()].map((name) => row(name, costs));
  tables.push(
    titleOf(setting),
    table(["", "ns per request", "over bare, mean", "of the floor's", "of express-rate-limit's"], rows),
  );
  if (isHot(setting)) hot = netOf(costs);
}

const to = (other) => hot(OURS) / hot(other);
const figures = [
  figure("middleware, 1 limit, legacy headers: of the floor's cost", to(FLOOR), { most: 1.3 }),
  figure("the same: of the cost of a floor that reads req.ip", to("floor, req.ip"), { most: 1.3 }),
  figure("the same: of express-rate-limit's cost", to("express-rate-limit"), { most: 0.25 }),
  figure("the same: of rate-limiter-flexible's cost", to("rate-limiter-flexible"), { most: 1 }),
  figure("middleware, 3 limits: of the cost of 1", hot(OURS_THREE) / hot(OURS), { most: 1.5 }),
];
await publish({ markdown: tables.join("\n\n"), figures });
