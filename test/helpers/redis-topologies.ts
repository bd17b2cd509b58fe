import { ask, freePort, until } from "./server-process.js";
import { type Server, type ServerOptions, startRedis } from "./servers.js";

/** Several servers that work as one. */
export interface RedisCluster {
  /** `redis+cluster://h:p,h:p,h:p` */
  readonly uri: string;
  /** Three masters, each with a third of the slots, in their order. */
  readonly nodes: readonly Server[];
  stop(): Promise<void>;
}

/** A port that was free may be another test's a moment later. */
const MOST_ATTEMPTS = 3;

const SLOTS = [
  { first: 0, last: 5460 },
  { first: 5461, last: 10922 },
  { first: 10923, last: 16383 },
];

async function startClusterNode(busPort: number, args: readonly string[]): Promise<Server> {
  return startRedis({ args: ["--cluster-enabled", "yes", "--cluster-port", `${busPort}`, ...args] });
}

/** Starts three masters that share the slots. Nodes that do not find each other are started anew. */
export async function startRedisCluster(options: ServerOptions = {}): Promise<RedisCluster> {
  for (let attempt = 1; ; attempt++) {
    const nodes: Server[] = [];
    try {
      return await formCluster(options, nodes);
    } catch (error) {
      await Promise.all(nodes.map((node) => node.stop()));
      if (attempt === MOST_ATTEMPTS) throw error;
    }
  }
}

/** Puts the nodes that it starts into the list, and waits until each of them says that all is well. */
async function formCluster({ args = [] }: ServerOptions, nodes: Server[]): Promise<RedisCluster> {
  const members = await Promise.all(
    SLOTS.map(async (slots) => {
      const busPort = await freePort();
      const node = await startClusterNode(busPort, args);
      nodes.push(node);
      return { slots, busPort, node };
    }),
  );
  const [first] = members;
  for (const { node, busPort, slots } of members) {
    await ask(node.port, `CLUSTER ADDSLOTSRANGE ${slots.first} ${slots.last}\r\n`);
    if (first !== undefined) await ask(first.node.port, `CLUSTER MEET 127.0.0.1 ${node.port} ${busPort}\r\n`);
  }
  await until("the cluster is complete", async () => {
    const states = await Promise.all(nodes.map(({ port }) => ask(port, "CLUSTER INFO\r\n")));
    return states.every((info) => info.includes("cluster_state:ok") && info.includes("cluster_size:3"));
  });
  const masters = members.map(({ node }) => node);
  return {
    uri: `redis+cluster://${masters.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    nodes: masters,
    stop: async () => void (await Promise.all(masters.map((node) => node.stop()))),
  };
}

/** A master, its replica, and the sentinel that swaps them when the master is gone. */
export interface RedisSentinel {
  /** `redis+sentinel://h:p/mymaster` */
  readonly uri: string;
  /** The name that the sentinel knows the pair by. */
  readonly name: string;
  readonly master: Server;
  readonly replica: Server;
  readonly sentinel: Server;
  /** Kills the master and waits until the sentinel names the replica in its place. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

const NAME = "mymaster";

/** Starts a master, a replica that follows it and a sentinel that knows both. */
export async function startRedisSentinel(): Promise<RedisSentinel> {
  const master = await startRedis({ args: ["--repl-diskless-sync-delay", "0"] });
  const replica = await startRedis({ args: ["--replicaof", `127.0.0.1 ${master.port}`] });
  await until("the replica follows", async () =>
    (await ask(replica.port, "INFO replication\r\n")).includes("master_link_status:up"),
  );
  const sentinel = await startRedis({
    args: ["--sentinel"],
    config: `sentinel monitor ${NAME} 127.0.0.1 ${master.port} 1
sentinel down-after-milliseconds ${NAME} 500
sentinel failover-timeout ${NAME} 3000
`,
  });
  const says = (command: string, expected: string) => async () =>
    (await ask(sentinel.port, `SENTINEL ${command} ${NAME}\r\n`)).includes(expected);
  await until("the sentinel knows the replica", says("REPLICAS", `${replica.port}`));
  return {
    uri: `redis+sentinel://127.0.0.1:${sentinel.port}/${NAME}`,
    name: NAME,
    master,
    replica,
    sentinel,
    failOver: async () => {
      await master.kill();
      await until("the replica takes over", says("GET-MASTER-ADDR-BY-NAME", `${replica.port}`));
    },
    stop: async () => void (await Promise.all([sentinel, replica, master].map((server) => server.stop()))),
  };
}
