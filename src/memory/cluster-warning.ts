const WARNED = Symbol.for("express-limits.memory-in-cluster");

/**
 * Warns, once in a process, that each worker of a cluster counts on its own.
 *
 * Only a process with a channel to a parent can be a worker: no other one loads `node:cluster` for it.
 */
export function warnInClusterWorker(): void {
  if (process.send !== undefined) void warnIfWorker();
}

async function warnIfWorker(): Promise<void> {
  const { default: cluster } = await import("node:cluster");
  if (!cluster.isWorker || Reflect.has(cluster, WARNED)) return;
  Reflect.set(cluster, WARNED, true);
  process.emitWarning(
    "The memory storage runs in a cluster worker: each worker counts on its own, so clients get the limit once " +
      "per worker. Use a storage that the workers share, such as RedisStorage.",
    { code: "EXPRESS_LIMITS_MEMORY_IN_CLUSTER" },
  );
}
