// How much memory a live key takes, everything included. One process for each measurement.
import { alternate } from "./lib/alternate.js";
import { measureInChild } from "./lib/children.js";
import { engines, ourEngine } from "./lib/engines.js";
import { number, spread, table } from "./lib/markdown.js";
import { choose } from "./lib/options.js";
import { figure, publish } from "./lib/report.js";
import { median } from "./lib/stats.js";

const KEYS = choose(1_000_000, 50_000);

const bytes = await alternate(engines, choose(3, 1), ({ id }) =>
  measureInChild("memory-bytes", [id, KEYS], ["--expose-gc", "--max-old-space-size=4096"]),
);

const rows = engines.map(({ name }) => [name, spread(bytes.get(name).alone), spread(bytes.get(name).beside)]);
const ours = median(bytes.get(ourEngine().name).alone);
await publish({
  markdown: table(
    [`${number(KEYS)} keys`, "bytes per key", "if the application holds the keys as well"],
    rows,
  ),
  figures: [figure(`bytes per live key at ${number(KEYS)} keys`, ours, { most: 48, text: number(ours) })],
});
process.exit(0);
