import { expect, test } from "vitest";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import { hashSlot, hashTag } from "../../src/redis/hash-slot.js";
import { startRedisCluster } from "../helpers/redis-topologies.js";
import { until } from "../helpers/server-process.js";
import { claim, policy } from "./claims.js";
import { forAllTests, openStorage } from "./connections.js";

const theCluster = forAllTests(() => startRedisCluster({ args: ["--cluster-node-timeout", "1000"] }));

/** Which of the three nodes holds the key. */
const nodeOf = ({ key }: Claim): number => Math.floor(hashSlot(hashTag(key)) / 5461.34);

/** A claim of a client whose keys lie on this node. */
function claimOn(node: number): Claim {
  for (;;) {
    const one = claim(policy("fixed-window", 10, 1, "day"));
    if (nodeOf(one) === node) return one;
  }
}

test("what was reserved on one node is given back when another one hangs", async () => {
  const cluster = await theCluster();
  const storage = openStorage(cluster.uri, { commandTimeoutMs: 200 });
  const [healthy, hanging] = [claimOn(0), claimOn(1)];
  await storage.hit([healthy, hanging], ALL_OR_NOTHING);
  cluster.nodes[1]?.pause();
  const startedAt = performance.now();
  await expect(storage.hit([healthy, hanging], ALL_OR_NOTHING)).rejects.toMatchObject({ code: "STORAGE" });
  const tookMs = performance.now() - startedAt;
  cluster.nodes[1]?.resume();
  expect(tookMs).toBeLessThan(250);
  await until("both nodes hold what was admitted", async () => {
    const verdicts = await storage.test([healthy, hanging]);
    return verdicts.every(({ remaining }) => remaining === 9);
  });
});
