// A flood of keys that were never seen, while one client is blocked. Run with --expose-gc.
//   node --expose-gc children/flood-keys.js <engine> <keys> <maxKeys>
import { setImmediate as turn } from "node:timers/promises";
import { answer } from "../lib/children.js";
import { engineOf } from "../lib/engines.js";
import { address } from "../lib/keys.js";
import { HOUR_MS } from "../lib/limits.js";
import { names } from "../lib/options.js";

const AMOUNT = 10;
const CHECKS = 20;
/** What has no bound is stopped here. */
const MOST_BYTES = 1.5e9;

const engine = engineOf(names[0]);
const [count, maxKeys] = names.slice(1).map(Number);
const hit = await engine.make({ windowMs: HOUR_MS, amount: AMOUNT, maxKeys });

function usedMb() {
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}

const isBlocked = async () => !(await hit("the-blocked-client"));
for (let i = 0; i < AMOUNT; i++) await hit("the-blocked-client");
if (!(await isBlocked())) throw new Error("The client should be blocked.");

const mb = [];
let offered = 0;
let staysBlocked = true;
const cpu = process.cpuUsage();
while (offered < count && (mb.at(-1) ?? 0) < MOST_BYTES / 1e6) {
  for (const end = offered + count / CHECKS; offered < end; offered++) {
    const passes = hit(address(offered));
    if (engine.isAsync) await passes;
    if (offered % 1000 === 0) await turn();
  }
  staysBlocked &&= await isBlocked();
  mb.push(usedMb());
}
const { user, system } = process.cpuUsage(cpu);
const isFull = mb.slice(Math.ceil((maxKeys / count) * CHECKS));
answer({
  offered,
  staysBlocked: Number(staysBlocked),
  mb: mb.at(-1),
  growth: mb.at(-1) / (isFull[0] ?? mb.at(-1)),
  ns: ((user + system) * 1000) / offered,
});
