// What a decision costs without Express: CPU nanoseconds per hit, every counter in this process.
// Every hit gets a key made from bytes, as a request's is; what that alone costs is subtracted, for all alike.
import { engines, keyAlone, otherStrategies, ourEngine } from "./lib/engines.js";
import { number, spread, table, times } from "./lib/markdown.js";
import { choose } from "./lib/options.js";
import { figure, publish } from "./lib/report.js";
import { median, minus, ratio } from "./lib/stats.js";
import { askInTurns } from "./lib/workers.js";

const MANY = choose(100_000, 10_000);
const candidates = [...engines, ...otherStrategies];

/** Less what the key alone takes, round by round. */
const withoutKey = (measured) =>
  new Map(candidates.map(({ name }) => [name, minus(measured.get(name), measured.get(keyAlone.name))]));

const measure = (kind, hits, rounds, warmUps) => {
  const asked = [keyAlone, ...candidates].map(({ id, name }) => ({ name, args: [id, kind, MANY] }));
  return askInTurns("engine-costs", asked, hits, { rounds, warmUps });
};
const HITS = choose(100_000, 20_000);
const measured = [
  await measure("one", HITS, choose(21, 3), 5),
  await measure("random", HITS, choose(31, 3), 5),
  await measure("ordered", HITS, choose(31, 3), 5),
  await measure("first", MANY, choose(15, 3), choose(5, 3)),
];
const keyNs = Math.round(median(measured[2].get(keyAlone.name)));
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
  `${number(MANY)} keys at random`,
  "of the floor",
  "in order",
  "of the floor",
  "first sight",
  "of the floor",
];
const [, random, ordered, first] = columns.map((column) => ratio(column.get(OURS), column.get(FLOOR)));
await publish({
  markdown: `${table(head, rows)}\n\nMaking the key takes ${keyNs} ns, which are subtracted.`,
  figures: [
    figure(`RateLimiter.hit on memory, ${number(MANY)} keys at random: of a Map`, random, { most: 1.2 }),
    figure("the same, in the order in which they came first", ordered, { most: 1.2 }),
    figure("the same, first sight of a key", first, { most: 1 }),
  ],
});
