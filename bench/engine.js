// What a decision costs without Express: CPU nanoseconds per hit, every counter in this process.
// Every hit gets a key made from bytes, as a request's is; what that alone costs is subtracted, for all alike.
import { cpuNs } from "./lib/cpu.js";
import { engines, ourEngine } from "./lib/engines.js";
import { freshAddresses } from "./lib/keys.js";
import { AMOUNT, HOUR_MS } from "./lib/limits.js";
import { number, spread, table, times } from "./lib/markdown.js";
import { choose } from "./lib/options.js";
import { figure, publish } from "./lib/report.js";
import { median, minus, ratio } from "./lib/stats.js";

const MANY = choose(100_000, 10_000);
const BATCH = 1000;
const nthKey = freshAddresses(MANY);
const sized = { windowMs: HOUR_MS, amount: AMOUNT, maxKeys: MANY * 2 };

// A log of a billion instants is no one's limit: the moving window gets one that is mostly spent.
const movingWindow = ourEngine("moving-window", "express-limits, moving-window, 10 per second");
const candidates = [
  ...engines,
  ourEngine("sliding-window-counter", "express-limits, sliding-window-counter"),
  ourEngine("token-bucket", "express-limits, token-bucket"),
  { ...movingWindow, make: () => movingWindow.make({ ...sized, amount: 10, windowMs: 1000 }) },
];

/** Makes the key, and nothing else. */
const keyAlone = { name: "key alone", make: () => (key) => key.length > 0 };

/** Keeps results alive: work whose result nobody reads may be optimized away. */
export let sink;

/** Hits so many keys one after the other, on and on; asynchronous counters are awaited one by one. */
function hitting({ name, isAsync = false }, hit, count, pieces) {
  let at = 0;
  const run = isAsync
    ? async () => {
        for (let i = 0; i < pieces; i++) sink = await hit(nthKey(at++ % count));
      }
    : () => {
        for (let i = 0; i < pieces; i++) sink = hit(nthKey(at++ % count));
      };
  return { name, isAsync, run };
}

/** Less what the key alone takes, round by round. */
const withoutKey = (measured) =>
  new Map(candidates.map(({ name }) => [name, minus(measured.get(name), measured.get(keyAlone.name))]));

async function known(count, iterations) {
  const tasks = [];
  for (const candidate of [keyAlone, ...candidates])
    tasks.push(hitting(candidate, await candidate.make(sized), count, BATCH));
  return cpuNs(tasks, { rounds: choose(11, 3), warmUps: choose(3, 2), iterations, pieces: BATCH });
}

/** Every key for the first time, in a counter that was empty before. */
async function firstSight() {
  const tasks = [keyAlone, ...candidates].map((candidate) => {
    let hit;
    const before = async () => {
      hit = await candidate.make(sized);
    };
    return { ...hitting(candidate, (key) => hit(key), MANY, MANY), before, isAsync: true };
  });
  return cpuNs(tasks, { rounds: choose(11, 3), warmUps: choose(2, 1), iterations: 1, pieces: MANY });
}

const measured = [await known(1, choose(200, 20)), await known(MANY, choose(200, 20)), await firstSight()];
const keyNs = Math.round(median(measured[1].get(keyAlone.name)));
const columns = measured.map(withoutKey);
const [FLOOR, OURS] = [engines[0].name, ourEngine().name];
const rows = candidates.map(({ name }) => [
  name,
  ...columns.flatMap((column) => [
    spread(column.get(name)),
    times(ratio(column.get(name), column.get(FLOOR))),
  ]),
]);
const head = [
  "ns per hit",
  "one key",
  "of the floor",
  `${number(MANY)} keys`,
  "of the floor",
  "first sight",
  "of the floor",
];
const [, many, first] = columns.map((column) => ratio(column.get(OURS), column.get(FLOOR)));
await publish({
  markdown: `${table(head, rows)}\n\nMaking the key takes ${keyNs} ns, which are subtracted.`,
  figures: [
    figure(`RateLimiter.hit on memory, ${number(MANY)} keys: of a Map`, many, { most: 1.2 }),
    figure("the same, first sight of a key", first, { most: 1 }),
  ],
});
process.exit(0);
