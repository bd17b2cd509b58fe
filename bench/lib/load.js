// Load on a store: so many calls in flight, each followed by the next as soon as it is answered.
import { quantile } from "./stats.js";

/** Decisions per second, waiting times in ms, and what one decision costs this process and the server in CPU µs. */
export async function load(decide, { inFlight, seconds, keys, server }) {
  const waited = [];
  let at = 0;
  const cpu = process.cpuUsage();
  const serverUs = server.cpuUs();
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const worker = async () => {
    for (let askedAt = startedAt; askedAt < endsAt; ) {
      await decide(keys[at++ % keys.length]);
      const answeredAt = performance.now();
      waited.push(answeredAt - askedAt);
      askedAt = answeredAt;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const { user, system } = process.cpuUsage(cpu);
  const took = (performance.now() - startedAt) / 1000;
  return {
    perSecond: waited.length / took,
    p50: quantile(waited, 0.5),
    p99: quantile(waited, 0.99),
    cpuUs: (user + system) / waited.length,
    serverUs: (server.cpuUs() - serverUs) / waited.length,
  };
}
