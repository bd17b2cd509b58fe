// CPU time of pieces of work, by tinybench.
//
// The clock is the CPU time of this process, its garbage collector's and compiler's threads included: on a
// machine that others use too, wall time measures the others.
import { Bench } from "tinybench";
import { alternate } from "./alternate.js";

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/**
 * CPU nanoseconds per piece: a Map from each task's name to a list, one mean for each round.
 *
 * A task is `{ name, run, before?, isAsync? }`: `run` does `pieces` pieces of work, `before` prepares them and
 * is not counted. `warmUps` rounds run first and are not counted either.
 */
export async function cpuNs(tasks, { rounds, warmUps = 3, iterations, pieces }) {
  const bench = new Bench({ now: cpuMs, iterations, time: 0, warmup: false, throws: true });
  for (const { name, run, before, isAsync = false } of tasks)
    bench.add(name, run, { async: isAsync, ...(before && { beforeEach: before }) });

  const measure = async ({ name, isAsync }) => {
    const task = bench.getTask(name);
    task.reset();
    if (isAsync) await task.run();
    else task.runSync();
    return { ns: (task.result.latency.mean * 1e6) / pieces };
  };
  await alternate(tasks, warmUps, measure);
  const measured = await alternate(tasks, rounds, measure);
  return new Map([...measured].map(([name, { ns }]) => [name, ns]));
}
