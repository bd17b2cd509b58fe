import { outageSuite, type Subject } from "../helpers/outage-suite.js";
import { startTcpProxy, type Weather } from "../helpers/tcp-proxy.js";
import { ask } from "../helpers/server-process.js";
import { type RedisOptions, type Server, startRedis } from "../helpers/servers.js";

type Act = (server: Server) => Promise<void> | void;

/** A server of its own, and how it is broken and mended. */
const redisThat = (breakIt: Act, mend: Act, options?: RedisOptions) => async (): Promise<Subject> => {
  const server = await startRedis(options);
  return {
    storageUri: server.uri,
    breakIt: () => breakIt(server),
    mend: () => mend(server),
    stop: () => server.stop(),
  };
};

/** Says a line to the server, whatever it answers. */
const say = (...lines: string[]): Act => async ({ port }) => {
  for (const line of lines) await ask(port, `${line}\r\n`);
};

const MIXED = ["moving-window", "fixed-window"] as const;

outageSuite({
  fault: "Redis hangs for five seconds",
  lastsMs: 5000,
  counts: "kept",
  strategies: MIXED,
  start: redisThat(
    (server) => server.pause(),
    (server) => server.resume(),
  ),
});

outageSuite({
  fault: "Redis is killed and started again",
  counts: "forgotten",
  reconnects: true,
  strategies: ["fixed-window", "sliding-window-counter"],
  start: redisThat(
    (server) => server.kill(),
    (server) => server.restart(),
  ),
});

outageSuite({
  fault: "Redis is full",
  counts: "kept",
  strategies: MIXED,
  start: redisThat(say("CONFIG SET maxmemory 1mb"), say("CONFIG SET maxmemory 0")),
});
