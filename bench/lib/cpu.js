// CPU time of pieces of work, by tinybench.
//
// The clock is the CPU time of this process, its garbage collector's and compiler's threads included: on a
// machine that others use too, wall time measures the others.
import { Bench } from "tinybench";

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/**
 * CPU nanoseconds per piece, the mean over so many iterations.
 *
 * A task is `{ run, before?, isAsync? }`: `run` does `pieces` pieces of work, `before` prepares them and is not
 * counted.
 */
export async function cpuNs({ run, before, isAsync = false }, { iterations, pieces }) {
  const bench = new Bench({ now: cpuMs, iterations, time: 0, warmup: false, throws: true });
  bench.add("task", run, { async: isAsync, ...(before && { beforeEach: before }) });
  const task = bench.getTask("task");
  if (isAsync) await task.run();
  else task.runSync();
  return (task.result.latency.mean * 1e6) / pieces;
}
