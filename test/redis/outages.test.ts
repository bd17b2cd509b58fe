import { connect } from "node:net";
import { commonOutages, serverThat } from "../helpers/common-outages.js";
import { outageSuite } from "../helpers/outage-suite.js";
import { ask, until } from "../helpers/server-process.js";
import { type Server, startRedis } from "../helpers/servers.js";

const STRATEGIES = ["moving-window", "fixed-window"] as const;

commonOutages({ name: "Redis", start: startRedis, strategies: STRATEGIES });

/** Says a line to the server, whatever it answers. */
const say =
  (line: string) =>
  async ({ port }: Server) =>
    void (await ask(port, `${line}\r\n`));

async function runEndlessScript(server: Server): Promise<void> {
  await say("CONFIG SET busy-reply-threshold 50")(server);
  const client = connect(server.port, "127.0.0.1");
  client.on("error", () => {});
  client.end('EVAL "while true do end" 0\r\n');
}

/** Faults of which the server tells at once, and that leave its counts alone. */
const REFUSALS = [
  { fault: "Redis is full", breakIt: say("CONFIG SET maxmemory 1mb"), mend: say("CONFIG SET maxmemory 0") },
  {
    fault: "Redis becomes a replica",
    breakIt: say("REPLICAOF 127.0.0.1 1"),
    mend: say("REPLICAOF NO ONE"),
    // A server that became a replica is left.
    reconnects: true,
  },
  {
    fault: "Redis misses its replicas",
    breakIt: say("CONFIG SET min-replicas-to-write 1"),
    mend: say("CONFIG SET min-replicas-to-write 0"),
  },
  {
    fault: "Redis is busy with somebody's endless script",
    breakIt: runEndlessScript,
    mend: say("SCRIPT KILL"),
  },
];

for (const { breakIt, mend, ...outage } of REFUSALS) {
  const start = serverThat(startRedis, breakIt, mend);
  outageSuite({ ...outage, counts: "kept", strategies: ["token-bucket", "sliding-window-counter"], start });
}

const FILL = `EVAL "for i = 1, 1000 do redis.call('SET', 'filler' .. i, i) end" 0`;

const pong = async ({ port }: Server, expected: string) => (await ask(port, "PING\r\n")).startsWith(expected);

outageSuite({
  fault: "Redis starts again and takes its time to load its data",
  counts: "kept",
  reconnects: true,
  strategies: STRATEGIES,
  start: serverThat(
    () => startRedis({ config: "key-load-delay 400\nloading-process-events-interval-bytes 1024\n" }),
    async (server) => {
      await say(FILL)(server);
      // It saves, and answers by closing the connection.
      await say("SHUTDOWN SAVE")(server).catch(() => {});
      void server.restart();
      await until("it loads", () => pong(server, "-LOADING"));
    },
    (server) => until("it has loaded", () => pong(server, "+PONG")),
  ),
});
