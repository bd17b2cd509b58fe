// What a request pays for a middleware that counts in memory: CPU nanoseconds over a bare next().
import { measureInChild } from "./lib/children.js";
import { number, spread, table, times } from "./lib/markdown.js";
import { choose } from "./lib/options.js";
import { figure, publish } from "./lib/report.js";
import { median, minus, over } from "./lib/stats.js";

const BARE = "bare next()";
const FLOOR = "floor";
const OURS = "express-limits, application limit";

const manyKeys = choose(100_000, 10_000);
const every = [1, 3].flatMap((limits) =>
  ["legacy", "ietf", "none"].flatMap((headers) => [1, manyKeys].map((keys) => ({ limits, headers, keys }))),
);
const few = [
  { limits: 1, headers: "legacy", keys: 1 },
  { limits: 1, headers: "legacy", keys: manyKeys },
  { limits: 1, headers: "none", keys: 1 },
  { limits: 3, headers: "legacy", keys: 1 },
];
const settings = choose(every, few);

/** What each costs more than a bare `next()`, round by round. */
const netOf = (costs) => (name) => minus(costs[name], costs[BARE]);

function row(name, costs) {
  const net = netOf(costs);
  if (name === BARE) return [name, spread(costs[name]), "-", "-", "-"];
  const compared = (other) => times(median(over(net(name), net(other))));
  return [
    name,
    spread(costs[name]),
    number(median(net(name))),
    compared(FLOOR),
    compared("express-rate-limit"),
  ];
}

const titleOf = ({ limits, headers, keys }) =>
  `**${limits} ${limits === 1 ? "limit" : "limits"}, ${headers} headers, ${keys === 1 ? "one key" : `${number(keys)} keys`}**`;

const tables = [];
const nets = new Map();
for (const setting of settings) {
  const { limits, headers, keys } = setting;
  const { costs } = await measureInChild("middleware-costs", [limits, headers, keys]);
  const rows = Object.keys(costs).map((name) => row(name, costs));
  tables.push(
    titleOf(setting),
    table(["", "ns per request", "over bare", "of the floor's", "of express-rate-limit's"], rows),
  );
  nets.set(`${limits} ${headers} ${keys}`, netOf(costs));
}

const hot = nets.get("1 legacy 1");
const three = nets.get("3 legacy 1");
const to = (other) => median(over(hot(OURS), hot(other)));
const figures = [
  figure("middleware, 1 limit, legacy headers: of the floor's cost", to(FLOOR), { most: 1.3 }),
  figure("the same: of the cost of a floor that reads req.ip", to("floor, req.ip"), { most: 1.3 }),
  figure("the same: of express-rate-limit's cost", to("express-rate-limit"), { most: 0.25 }),
  figure("the same: of rate-limiter-flexible's cost", to("rate-limiter-flexible"), { most: 1 }),
  figure("middleware, 3 limits: of the cost of 1", median(three(OURS)) / median(hot(OURS)), { most: 1.5 }),
];
await publish({ markdown: tables.join("\n\n"), figures });
