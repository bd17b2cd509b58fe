// The frame of redis.js and memcached.js: the same candidates under rising load.
import { alternate } from "./alternate.js";
import { addresses } from "./keys.js";
import { load } from "./load.js";
import { number, spread, table, times } from "./markdown.js";
import { choose } from "./options.js";
import { median, over, ratio } from "./stats.js";

const keys = addresses(10_000);

/** Limits that stand one behind the other, as middleware does. */
export function oneAfterTheOther(steps) {
  return async (key) => {
    for (const step of steps) await step(key);
  };
}

/** One table for each number of calls in flight; a candidate is `{ name, decide(key) }`. */
export async function measureStores(server, candidates, inFlights) {
  const byLoad = new Map();
  for (const inFlight of inFlights) {
    for (const { decide } of candidates)
      await load(decide, { inFlight, seconds: choose(0.5, 0.05), keys, server });
    const measure = ({ decide }) => load(decide, { inFlight, seconds: choose(1, 0.1), keys, server });
    byLoad.set(inFlight, await alternate(candidates, choose(7, 2), measure));
  }
  return byLoad;
}

export function storeTables(byLoad, floor) {
  return [...byLoad]
    .map(([inFlight, measured]) => `**${inFlight} in flight**\n\n${storeTable(measured, floor)}`)
    .join("\n\n");
}

function storeTable(measured, floor) {
  const rows = [...measured].map(([name, { perSecond, p50, p99, cpuUs, serverUs }]) => [
    name,
    spread(perSecond),
    times(ratio(perSecond, measured.get(floor).perSecond)),
    number(median(p50), 3),
    number(median(p99), 3),
    spread(cpuUs, 1),
    spread(serverUs, 1),
  ]);
  return table(
    ["", "decisions per second", `of ${floor}`, "p50 ms", "p99 ms", "client's CPU µs", "server's"],
    rows,
  );
}

/** How many times as many decisions as the best of others, round by round. */
export function timesTheBest(measured, name, others) {
  const ours = measured.get(name).perSecond;
  const best = ours.map((_, round) =>
    Math.max(...others.map((other) => measured.get(other).perSecond[round])),
  );
  return median(over(ours, best));
}
