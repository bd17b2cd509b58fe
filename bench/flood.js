// Twenty times more keys than a storage may keep: does it stay small, and does a blocked client stay blocked?
import { alternate } from "./lib/alternate.js";
import { measureInChild } from "./lib/children.js";
import { engines, ourEngine } from "./lib/engines.js";
import { number, spread, table, times } from "./lib/markdown.js";
import { choose } from "./lib/options.js";
import { figure, publish } from "./lib/report.js";
import { median } from "./lib/stats.js";

const MAX_KEYS = choose(1_000_000, 10_000);
const OFFERED = MAX_KEYS * 20;

// The typed arrays of the floor have no bound: they would turn in circles once they are full.
const bounded = engines.filter(({ id }) => id !== "typed-arrays");
const floods = await alternate(bounded, choose(2, 1), ({ id }) =>
  measureInChild("flood-keys", [id, OFFERED, MAX_KEYS], ["--expose-gc", "--max-old-space-size=8192"]),
);

const rows = bounded.map(({ name }) => {
  const { offered, staysBlocked, mb, growth, ns } = floods.get(name);
  const isBlocked = Math.min(...staysBlocked) === 1 ? "yes" : "no";
  return [name, number(median(offered)), isBlocked, spread(mb), times(median(growth)), spread(ns)];
});
const ours = floods.get(ourEngine().name);
const growth = Math.max(...ours.growth);
const blocked = Math.min(...ours.staysBlocked);
const flood = `${number(OFFERED)} keys offered with maxKeys ${number(MAX_KEYS)}`;
await publish({
  markdown: `${table(
    ["", "keys offered", "still blocked", "MB at the end", "of the MB when full", "CPU ns per key"],
    rows,
  )}\n\nWhat grows past 1.5 GB is stopped. The floor and the LRU drop the oldest key, whoever it is.`,
  figures: [
    figure(`${flood}: memory at the end, of that when it was full`, growth, { most: 1.02 }),
    figure(`${flood}: a blocked client stays blocked`, blocked, {
      least: 1,
      text: blocked === 1 ? "yes" : "no",
    }),
  ],
});
process.exit(0);
