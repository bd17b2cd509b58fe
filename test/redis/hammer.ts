// A process of its own that hits one client's limits as fast as it can:
//   node hammer.cjs <uri> <strategy> <limits> <in flight> <hits> <client>
// Prints "ready", waits for a line, and prints how many hits were admitted.

import { once } from "node:events";
import type { StrategyName } from "../../src/core/strategy.js";
import { RedisStorage } from "../../src/redis/redis-storage.js";
import { claim, policy } from "./claims.js";

async function hammer(): Promise<void> {
  const [uri = "", strategy = "", limits = "1", inFlight = "1", hits = "1", who = ""] = process.argv.slice(2);
  const storage = new RedisStorage(uri, { commandTimeoutMs: 20_000 });
  const amounts = [500, 700, 900].slice(0, Number(limits));
  const claims = amounts.map((amount) => claim(policy(strategy as StrategyName, amount, 1, "day"), { who }));
  await storage.test(claims);
  console.log("ready");
  await once(process.stdin, "data");
  let [left, admitted] = [Number(hits), 0];
  const hitOn = async () => {
    while (left-- > 0) {
      const verdicts = await storage.hit(claims, { mode: "all" });
      if (verdicts.every(({ allowed }) => allowed)) admitted++;
    }
  };
  await Promise.all(Array.from({ length: Number(inFlight) }, hitOn));
  console.log(`admitted ${admitted}`);
  await storage.close();
  process.exit();
}

void hammer();
