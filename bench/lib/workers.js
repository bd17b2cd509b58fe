// Candidates that have a process each, and are measured in turns.
//
// An app has one limiter. Candidates that share a process share what V8 has learnt about the code, and each one's
// garbage is another one's stop: alone, every one is as fast as it will be where it is used.
import { fork } from "node:child_process";
import { once } from "node:events";
import { alternate } from "./alternate.js";
import { passedOn } from "./options.js";

async function start(program, { name, args }) {
  const child = fork(new URL(`../children/${program}.js`, import.meta.url), [
    ...args.map(String),
    ...passedOn,
  ]);
  child.once("exit", (code) => {
    if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}.`);
  });
  await once(child, "message");
  return { name, child };
}

async function ask({ child }, order) {
  child.send(order);
  const [ns] = await once(child, "message");
  return ns;
}

/**
 * Runs `children/<program>.js` for each candidate `{ name, args }` and asks them in turns, each time with `order`.
 * A Map from each name to a list, what the child answered in each round. `warmUps` are rounds that are not counted.
 */
export async function askInTurns(program, candidates, order, { rounds, warmUps }) {
  const workers = await Promise.all(candidates.map((candidate) => start(program, candidate)));
  const measure = async (worker) => ({ ns: await ask(worker, order) });
  await alternate(workers, warmUps, measure);
  const measured = await alternate(workers, rounds, measure);
  for (const { child } of workers) child.disconnect();
  return new Map([...measured].map(([name, { ns }]) => [name, ns]));
}

/** In a child: answers every order with what `measure(order)` gives. */
export function answerOrders(measure) {
  process.on("message", async (order) => process.send(await measure(order)));
  process.on("disconnect", () => process.exit(0));
  process.send("ready");
}
