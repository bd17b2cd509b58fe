// End to end: a real server under load, 50 connections. Every server is a process of its own, idle but for its turn.
import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { alternate, inTurns } from "./lib/alternate.js";
import { openLoad } from "./lib/closed-loop.js";
import { number, spread, table, times } from "./lib/markdown.js";
import { choose, passedOn } from "./lib/options.js";
import { figure, publish } from "./lib/report.js";
import { isInstalled } from "./lib/servers.js";
import { mean, meanWithError, minus, ratio, trimmedMean } from "./lib/stats.js";

const CONNECTIONS = 50;

/** Machines change their pace from second to second: what is compared with each other must be much shorter. */
const SLICE_MS = 60;

const all = [
  { name: "bare Express", id: "bare", limits: 1 },
  { name: "floor", id: "floor", limits: 1 },
  { name: "express-limits, application limit", id: "application", limits: 1 },
  { name: "express-limits, default limit", id: "default", limits: 1 },
  { name: "express-rate-limit", id: "express-rate-limit", limits: 1 },
  { name: "rate-limiter-flexible", id: "rate-limiter-flexible", limits: 1 },
  { name: "express-limits, 3 application limits", id: "application", limits: 3 },
  { name: "express-rate-limit, 3 limits", id: "express-rate-limit", limits: 3 },
];
const [BARE, FLOOR, OURS, , PEER] = all.map(({ name }) => name);
const candidates = choose(all, all.slice(0, 5));

async function start({ name, id, limits }) {
  const file = new URL("children/http-server.js", import.meta.url);
  const child = fork(file, [id, String(limits), ...passedOn]);
  const [{ port }] = await once(child, "message");
  return { name, child, port, load: await openLoad(port, CONNECTIONS) };
}

async function cpuUsOf({ child }) {
  child.send("cpu");
  const [{ cpuUs }] = await once(child, "message");
  return cpuUs;
}

/** The server's CPU µs for each request that it answers in so many milliseconds. */
async function cpuUsUnderLoad(server, ms) {
  const before = await cpuUsOf(server);
  const answered = await server.load.run(ms);
  return { cpuUs: ((await cpuUsOf(server)) - before) / answered };
}

/** Requests per second, as wrk finds them. */
async function wrk({ port }, seconds) {
  const url = `http://127.0.0.1:${port}/`;
  const { stdout } = await promisify(execFile)("wrk", ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, url]);
  return { perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]) };
}

/** One life of all servers: CPU µs per request over bare Express, and what it is made of, for each candidate. */
async function live(round) {
  const servers = await Promise.all(inTurns(candidates, round).map(start));
  for (const server of servers) await cpuUsUnderLoad(server, choose(2500, 1000));
  const costs = await alternate(servers, choose(64, 20), (server) => cpuUsUnderLoad(server, SLICE_MS));
  const throughput = isInstalled("wrk", "-v")
    ? await alternate(servers, choose(2, 1), (server) => wrk(server, 1))
    : undefined;
  for (const { child, load } of servers) {
    load.close();
    child.disconnect();
  }
  return { costs, throughput };
}

const lives = [];
for (let i = 0; i < choose(6, 1); i++) lives.push(await live(i));
const hasThroughput = lives[0].throughput !== undefined;
const perSecondOf = (name) => lives.flatMap(({ throughput }) => throughput.get(name).perSecond);
const cpuUs = (name) => mean(lives.map(({ costs }) => trimmedMean(costs.get(name).cpuUs)));
const added = (name) =>
  meanWithError(lives.map(({ costs }) => trimmedMean(minus(costs.get(name).cpuUs, costs.get(BARE).cpuUs))));
const withError = ({ mean: middle, error }) =>
  Number.isNaN(error) ? number(middle, 1) : `${number(middle, 1)} ± ${number(error, 1)}`;
const rows = candidates.map(({ name }) => {
  return [
    name,
    hasThroughput ? spread(perSecondOf(name)) : "-",
    hasThroughput ? times(ratio(perSecondOf(name), perSecondOf(BARE))) : "-",
    number(cpuUs(name), 1),
    name === BARE ? "-" : withError(added(name)),
  ];
});
const [ours, floor, peer] = [OURS, FLOOR, PEER].map(added);
// Less than a microsecond is noise, and no divisor.
const to = (other) => Math.max(1, ours.mean) / Math.max(1, other.mean);
const beside = (other) => ({ text: `${withError(ours)} µs beside ${withError(other)} µs` });
await publish({
  markdown: table(["", "requests per second", "of bare", "server's CPU µs per request", "over bare"], rows),
  // A few slices say nothing about a few microseconds.
  figures: choose(
    [
      figure("end to end, CPU over bare: of the floor's", to(floor), { most: 1.2, ...beside(floor) }),
      figure("the same: of express-rate-limit's", to(peer), { most: 0.5, ...beside(peer) }),
    ],
    [],
  ),
});
process.exit(0);
