import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import { hashSlot, hashTag } from "../../src/redis/hash-slot.js";
import { outageSuite, type Subject } from "../helpers/outage-suite.js";
import { type RedisCluster, startRedisCluster } from "../helpers/redis-topologies.js";
import { ask, until } from "../helpers/server-process.js";
import { claim, freshClient, policy } from "./claims.js";
import { forAllTests, openStorage } from "./connections.js";

/** A node that is away for a second is given up by the others, and the Cluster with it. */
const startCluster = () => startRedisCluster({ args: ["--cluster-node-timeout", "1000"] });
const theCluster = forAllTests(startCluster);

const nodeOfSlot = (slot: number): number => Math.floor(slot / 5461.34);

/** Which of the three nodes holds the key. */
const nodeOf = ({ key }: Claim): number => nodeOfSlot(hashSlot(hashTag(key)));

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
  await until("both answer", async () => (await storage.test([healthy, hanging])).length === 2);
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

async function idOf(cluster: RedisCluster, node: number): Promise<string> {
  return /[0-9a-f]{40}/.exec(await ask(cluster.nodes[node]?.port ?? 0, "CLUSTER MYID\r\n"))?.[0] ?? "";
}

/** Moves a slot key by key, as tools do, with a pause before each. */
async function moveSlot(cluster: RedisCluster, slot: number, keys: readonly string[]): Promise<void> {
  const from = nodeOfSlot(slot);
  const to = (from + 1) % 3;
  const [fromId, toId] = [await idOf(cluster, from), await idOf(cluster, to)];
  const say = (node: number, command: string) => ask(cluster.nodes[node]?.port ?? 0, `${command}\r\n`);
  await say(to, `CLUSTER SETSLOT ${slot} IMPORTING ${fromId}`);
  await say(from, `CLUSTER SETSLOT ${slot} MIGRATING ${toId}`);
  for (const key of keys) {
    await sleep(30);
    await say(from, `MIGRATE 127.0.0.1 ${cluster.nodes[to]?.port} ${key} 0 1000`);
  }
  for (const node of [to, from, 3 - to - from]) await say(node, `CLUSTER SETSLOT ${slot} NODE ${toId}`);
}

test("three limits stay exact while their slot moves under load", async () => {
  const cluster = await theCluster();
  const storage = openStorage(cluster.uri, { commandTimeoutMs: 5000, denyCacheMs: 0, maxBatch: 24 });
  const who = freshClient();
  const claims = [900, 700, 800].map((amount) => claim(policy("moving-window", amount, 1, "year"), { who }));
  await storage.hit(claims, ALL_OR_NOTHING);
  let [admitted, refused, isMoving] = [1, 0, true];
  const hitOn = async () => {
    while (isMoving || refused === 0) {
      const verdicts = await storage.hit(claims, ALL_OR_NOTHING);
      verdicts.every(({ allowed }) => allowed) ? admitted++ : refused++;
      await sleep(5);
    }
  };
  const storm = Promise.all(Array.from({ length: 64 }, hitOn));
  await moveSlot(
    cluster,
    hashSlot(hashTag(claims[0]?.key ?? "")),
    claims.map(({ key }) => key),
  );
  isMoving = false;
  await storm;
  expect(admitted).toBe(700);
  expect((await storage.test(claims)).map(({ remaining }) => remaining)).toEqual([200, 0, 100]);
});

/** All clients of the suite come from one address. */
const NODE_OF_CLIENTS = nodeOfSlot(hashSlot("@127.0.0.1"));

const clusterWithout = (node: number) => async (): Promise<Subject> => {
  const cluster = await startCluster();
  const states = () => Promise.all(cluster.nodes.map(({ port }) => ask(port, "CLUSTER INFO\r\n")));
  return {
    storageUri: cluster.uri,
    breakIt: () => cluster.nodes[node]?.kill(),
    async mend() {
      await cluster.nodes[node]?.restart();
      await until("the cluster is complete", async () =>
        (await states()).every((info) => info.includes("cluster_state:ok")),
      );
    },
    stop: () => cluster.stop(),
  };
};

outageSuite({
  fault: "the node of a Cluster that holds the counters is killed, has no replica, and comes back",
  counts: "forgotten",
  reconnects: true,
  strategies: ["moving-window", "fixed-window"],
  start: clusterWithout(NODE_OF_CLIENTS),
});

outageSuite({
  fault: "a Cluster is down because another node is",
  counts: "kept",
  reconnects: true,
  strategies: ["moving-window", "fixed-window"],
  start: clusterWithout((NODE_OF_CLIENTS + 1) % 3),
});
