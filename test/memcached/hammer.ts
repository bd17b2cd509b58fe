// A process of its own that hits one client's limits with many calls in flight; bundled and forked by processes.test.ts.
import Memcached from "memcached";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import type { StrategyName } from "../../src/core/strategy.js";
import { MemcachedStorage } from "../../src/memcached/index.js";
import { answerOrders } from "../helpers/process-pool.js";
import { newClaim } from "./claims.js";

export interface Orders {
  readonly port: number;
  readonly overClient: boolean;
  readonly strategy: StrategyName;
  readonly amounts: readonly number[];
  readonly key: string;
  readonly hits: number;
  readonly inFlight: number;
  /** Every n-th admitted hit is given back, and does not count as admitted. 0 for none. */
  readonly refundEvery: number;
}

export interface Outcome {
  readonly admitted: number;
  readonly failed: number;
}

/** A round finds its connection open. */
const storages = new Map<string, MemcachedStorage>();

function storageOf({ port, overClient }: Orders): MemcachedStorage {
  const name = `${port} ${overClient}`;
  let storage = storages.get(name);
  if (storage === undefined) {
    const server = overClient ? new Memcached(`127.0.0.1:${port}`) : `memcached://127.0.0.1:${port}`;
    storage = new MemcachedStorage(server, { commandTimeoutMs: 15_000 });
    storages.set(name, storage);
  }
  return storage;
}

function claimsOf({ amounts, strategy, key }: Orders): Claim[] {
  return amounts.map((amount) => newClaim({ amount, unit: "year", strategy, key }));
}

async function hammer(orders: Orders): Promise<Outcome> {
  const storage = storageOf(orders);
  const claims = claimsOf(orders);
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
  return { admitted: granted - refunded, failed };
}

answerOrders(hammer);
