// The longest stop of the event loop while keys arrive, stay for their window, and expire.
import { alternate } from "./lib/alternate.js";
import { measureInChild } from "./lib/children.js";
import { engines, keyAlone, ourEngine } from "./lib/engines.js";
import { number, spread, table } from "./lib/markdown.js";
import { choose } from "./lib/options.js";
import { figure, publish } from "./lib/report.js";
import { median } from "./lib/stats.js";

const KEYS = choose(5_000_000, 50_000);
const WINDOW_MS = choose(15_000, 500);

const candidates = [{ ...keyAlone, name: "floor: no counter" }, ...engines];
const stops = await alternate(candidates, choose(3, 1), async ({ id }) => {
  const measured = await measureInChild("pause-stops", [id, KEYS, WINDOW_MS], ["--max-old-space-size=8192"]);
  const { filling, holding, expiring } = measured;
  return { ...measured, longest: Math.max(filling, holding, expiring) };
});

const rows = candidates.map(({ name }) => {
  const { longest, filling, holding, expiring, gc, fillSeconds } = stops.get(name);
  const phases = [filling, holding, expiring, gc].map((ms) => number(median(ms), 1));
  return [name, spread(longest, 1), ...phases, number(median(fillSeconds), 1)];
});
const ours = median(stops.get(ourEngine().name).longest);
await publish({
  markdown: table(
    [
      `ms, ${number(KEYS)} keys`,
      "longest stop",
      "arriving",
      "staying",
      "expiring",
      "longest gc",
      "seconds to arrive",
    ],
    rows,
  ),
  figures: [
    figure(`longest stop of the event loop, ${number(KEYS)} keys`, ours, {
      most: 10,
      text: `${number(ours, 1)} ms`,
    }),
  ],
});
process.exit(0);
