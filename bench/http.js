// End to end: a real server under wrk, 50 connections. Every server is a process of its own, idle but for its turn.
import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { alternate } from "./lib/alternate.js";
import { number, spread, table, times } from "./lib/markdown.js";
import { choose, passedOn } from "./lib/options.js";
import { figure, publish, skip } from "./lib/report.js";
import { isInstalled } from "./lib/servers.js";
import { quantile, ratio } from "./lib/stats.js";

const CONNECTIONS = 50;

/**
 * Rounds differ by more than what a limiter costs, and all that disturbs them makes them dearer: the cheapest quarter
 * of many short ones is compared.
 */
const UNDISTURBED = 0.25;

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
  return { name, child, port };
}

async function cpuUsOf({ child }) {
  child.send("cpu");
  const [{ cpuUs }] = await once(child, "message");
  return cpuUs;
}

/** Requests per second, and the server's CPU µs for each request that it answered. */
async function underLoad(server, seconds) {
  const before = await cpuUsOf(server);
  const url = `http://127.0.0.1:${server.port}/`;
  const { stdout } = await promisify(execFile)("wrk", ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, url]);
  const cpuUs = (await cpuUsOf(server)) - before;
  const requests = Number(/(\d+) requests in/.exec(stdout)[1]);
  return { perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]), cpuUs: cpuUs / requests };
}

async function run() {
  const servers = await Promise.all(candidates.map(start));
  for (const server of servers) await underLoad(server, choose(3, 1));
  const measured = await alternate(servers, choose(31, 1), (server) => underLoad(server, 1));
  for (const { child } of servers) child.disconnect();

  const bare = measured.get(BARE);
  const undisturbed = (name) => quantile(measured.get(name).cpuUs, UNDISTURBED);
  const added = (name) => undisturbed(name) - undisturbed(BARE);
  const rows = candidates.map(({ name }) => {
    const { perSecond, cpuUs } = measured.get(name);
    const over = name === BARE ? "-" : number(added(name), 1);
    return [name, spread(perSecond), times(ratio(perSecond, bare.perSecond)), spread(cpuUs, 1), over];
  });
  // Less than a microsecond is noise, and no divisor.
  const [ours, floor, peer] = [OURS, FLOOR, PEER].map((name) => Math.max(1, added(name)));
  const beside = (other) => ({ text: `${number(ours, 1)} µs beside ${number(other, 1)} µs` });
  await publish({
    markdown: table(["", "requests per second", "of bare", "server's CPU µs per request", "over bare"], rows),
    // One round of a second says nothing about a few microseconds.
    figures: choose(
      [
        figure("end to end, CPU over bare: of the floor's", ours / floor, { most: 1.2, ...beside(floor) }),
        figure("the same: of express-rate-limit's", ours / peer, { most: 0.5, ...beside(peer) }),
      ],
      [],
    ),
  });
}

if (isInstalled("wrk", "-v")) await run();
else await skip("`wrk` is not installed");
process.exit(0);
