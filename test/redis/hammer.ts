// A process of its own that hits one client's limits as fast as it can; bundled and forked by processes.test.ts.
import type { StrategyName } from "../../src/core/strategy.js";
import { RedisStorage } from "../../src/redis/redis-storage.js";
import { answerOrders } from "../helpers/process-pool.js";
import { claim, policy } from "./claims.js";

export interface Orders {
  readonly uri: string;
  readonly strategy: StrategyName;
  readonly amounts: readonly number[];
  readonly hits: number;
  readonly inFlight: number;
  readonly maxBatch: number;
  readonly who: string;
}

/** A round finds its connection open. */
const storages = new Map<string, RedisStorage>();

function storageOf({ uri, maxBatch }: Orders): RedisStorage {
  const name = `${uri} ${maxBatch}`;
  const storage = storages.get(name) ?? new RedisStorage(uri, { commandTimeoutMs: 20_000, maxBatch });
  storages.set(name, storage);
  return storage;
}

/** How many hits were admitted. */
async function hammer(orders: Orders): Promise<number> {
  const { strategy, amounts, hits, inFlight, who } = orders;
  const storage = storageOf(orders);
  const claims = amounts.map((amount) => claim(policy(strategy, amount, 1, "year"), { who }));
  let [left, admitted] = [hits, 0];
  const hitOn = async () => {
    while (left-- > 0) {
      const verdicts = await storage.hit(claims, { mode: "all" });
      if (verdicts.every(({ allowed }) => allowed)) admitted++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, hitOn));
  return admitted;
}

answerOrders(hammer);
