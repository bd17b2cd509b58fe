// How long the event loop stands still while keys arrive, stay and expire.
//   node children/pause-stops.js <engine> <keys> <windowMs>
import { monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { answer } from "../lib/children.js";
import { engineOf } from "../lib/engines.js";
import { address } from "../lib/keys.js";
import { AMOUNT } from "../lib/limits.js";
import { names } from "../lib/options.js";

/** New keys between two turns of the event loop: as many as arrive in about a quarter of a millisecond. */
const KEYS_PER_TURN = 200;

/** Keys of a counter that goes before, and its window. */
const WARM_UP = { count: 50_000, windowMs: 300 };

const engine = engineOf(names[0]);
const [count, windowMs] = names.slice(1).map(Number);
const make = (its) => engine.make({ windowMs: its.windowMs, amount: AMOUNT, maxKeys: its.count * 2 });

let made = 0;
async function arrive(hit, howMany) {
  for (let i = 0; i < howMany; i++) {
    const passes = hit(address(made++));
    if (engine.isAsync) await passes;
  }
}

async function fill(hit, keys) {
  for (let left = keys; left > 0; left -= KEYS_PER_TURN) {
    await arrive(hit, KEYS_PER_TURN);
    await turn();
  }
}

/** A little traffic: sweeps that hang on hits must be seen, too. */
const trickle = (hit) => setInterval(() => void arrive(hit, 10), 1);

// V8 compiles what runs for the first time, and again what runs often: that is no matter of how many keys there are.
const warm = await make(WARM_UP);
await fill(warm, WARM_UP.count);
const warmTraffic = trickle(warm);
await sleep(3 * WARM_UP.windowMs);
clearInterval(warmTraffic);

const hit = await make({ windowMs, count });

const delay = monitorEventLoopDelay({ resolution: 1 });
let longestGc = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) longestGc = Math.max(longestGc, duration);
}).observe({ entryTypes: ["gc"] });

/** The longest stop, in ms, since it was asked last. */
async function longestStop() {
  await sleep(5);
  const stop = { loop: delay.max / 1e6, gc: longestGc };
  delay.reset();
  longestGc = 0;
  return stop;
}

await sleep(200);
delay.enable();
await longestStop();

const startedAt = performance.now();
await fill(hit, count);
const filledAt = performance.now();
const filling = await longestStop();

const traffic = trickle(hit);
await sleep(Math.max(300, startedAt + windowMs - 300 - performance.now()));
const holding = await longestStop();
await sleep(filledAt + 2 * windowMs + 500 - performance.now());
const expiring = await longestStop();
clearInterval(traffic);
answer({
  fillSeconds: (filledAt - startedAt) / 1000,
  filling: filling.loop,
  holding: holding.loop,
  expiring: expiring.loop,
  gc: Math.max(filling.gc, holding.gc, expiring.gc),
});
