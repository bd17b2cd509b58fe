// One candidate of engine.js: CPU nanoseconds per hit, on one key, on many at random or in the order in which they
// came first, or on keys that are all new.
//   node children/engine-costs.js <engine> <one|random|ordered|first> <keys>
import { cpuNs } from "../lib/cpu.js";
import { engineOf } from "../lib/engines.js";
import { freshAddresses, shuffled } from "../lib/keys.js";
import { AMOUNT, HOUR_MS } from "../lib/limits.js";
import { names } from "../lib/options.js";
import { answerOrders } from "../lib/workers.js";

const BATCH = 1000;

const [id, kind, keyCount] = [names[0], names[1], Number(names[2])];
const engine = engineOf(id);
const nthKey = freshAddresses(keyCount);
const order = kind === "random" ? shuffled(keyCount) : Uint32Array.from({ length: keyCount }, (_, n) => n);
const make = () => engine.make({ windowMs: HOUR_MS, amount: AMOUNT, maxKeys: keyCount * 2 });

/** Keeps results alive: work whose result nobody reads may be optimized away. */
export let sink;
let hit = await make();
let at = 0;

/** Hits keys one after the other, on and on; asynchronous counters are awaited one by one. */
function hitting(count, pieces) {
  const nextKey = () => nthKey(order[at++ % count]);
  if (engine.isAsync)
    return async () => {
      for (let i = 0; i < pieces; i++) sink = await hit(nextKey());
    };
  return () => {
    for (let i = 0; i < pieces; i++) sink = hit(nextKey());
  };
}

const { isAsync = false } = engine;
const known = { run: hitting(kind === "one" ? 1 : keyCount, BATCH), isAsync };
const first = {
  before: async () => {
    hit = await make();
  },
  run: hitting(keyCount, keyCount),
  isAsync: true,
};
// All keys come in the same order first, whatever follows.
if (kind === "random" || kind === "ordered") for (let n = 0; n < keyCount; n++) await hit(nthKey(n));
answerOrders((hits) =>
  kind === "first"
    ? cpuNs(first, { iterations: 1, pieces: keyCount })
    : cpuNs(known, { iterations: hits / BATCH, pieces: BATCH }),
);
