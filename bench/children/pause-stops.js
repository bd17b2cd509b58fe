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

const engine = engineOf(names[0]);
const [count, windowMs] = names.slice(1).map(Number);
const hit = await engine.make({ windowMs, amount: AMOUNT, maxKeys: count * 2 });

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
let made = 0;
async function arrive(howMany) {
  for (let i = 0; i < howMany; i++) {
    const passes = hit(address(made++));
    if (engine.isAsync) await passes;
  }
}
while (made < count) {
  await arrive(KEYS_PER_TURN);
  await turn();
}
const filledAt = performance.now();
const filling = await longestStop();

// A little traffic goes on: sweeps that hang on hits must be seen, too.
const traffic = setInterval(() => void arrive(10), 1);
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
