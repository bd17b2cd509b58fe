// A process of its own that hits one claim with many calls in flight; bundled and forked by processes.test.ts.
import Memcached from "memcached";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import type { StrategyName } from "../../src/core/strategy.js";
import { MemcachedStorage } from "../../src/memcached/index.js";
import { newClaim } from "./claims.js";

export interface Orders {
  readonly port: number;
  readonly overClient: boolean;
  readonly strategy: StrategyName;
  readonly amounts: readonly number[];
  readonly hits: number;
  readonly inFlight: number;
  /** Every n-th admitted hit is given back, and does not count as admitted. 0 for none. */
  readonly refundEvery: number;
}

export interface Outcome {
  readonly admitted: number;
  readonly failed: number;
}

async function hammer(orders: Orders): Promise<Outcome> {
  const client = orders.overClient ? new Memcached(`127.0.0.1:${orders.port}`) : undefined;
  const storage = new MemcachedStorage(client ?? `memcached://127.0.0.1:${orders.port}`, {
    commandTimeoutMs: 15_000,
  });
  const claims: Claim[] = orders.amounts.map((amount) =>
    newClaim({ amount, unit: "day", strategy: orders.strategy }),
  );
  let [left, granted, refunded, failed] = [orders.hits, 0, 0, 0];
  const work = async () => {
    while (left-- > 0) {
      try {
        const verdicts = await storage.hit(claims, ALL_OR_NOTHING);
        if (!verdicts.every(({ allowed }) => allowed)) continue;
        granted++;
        if (orders.refundEvery === 0 || granted % orders.refundEvery !== 0) continue;
        refunded++;
        await storage.refund(claims.map((claim, i) => ({ claim, receipt: verdicts[i]! })));
      } catch {
        failed++;
      }
    }
  };
  await Promise.all(Array.from({ length: orders.inFlight }, work));
  storage.close();
  client?.end();
  return { admitted: granted - refunded, failed };
}

process.once("message", async (orders: Orders) => {
  process.send?.(await hammer(orders), () => process.disconnect());
});
