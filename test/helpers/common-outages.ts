import type { StrategyName } from "express-limits";
import { outageSuite, type Subject } from "./outage-suite.js";
import type { Server } from "./servers.js";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.js";

/** A kind of server that can be lost. */
export interface LosableServer {
  /** How it is called in sentences. */
  readonly name: string;
  start(): Promise<Server>;
  /** Of the two limits that are decided together. */
  readonly strategies: readonly [StrategyName, StrategyName];
}

type Act<Subject> = (subject: Subject) => Promise<void> | void;

/** A server of its own, and how it is broken and mended. */
export const serverThat = (start: () => Promise<Server>, breakIt: Act<Server>, mend: Act<Server>) => {
  return async (): Promise<Subject> => {
    const server = await start();
    return {
      storageUri: server.uri,
      breakIt: () => breakIt(server),
      mend: () => mend(server),
      stop: () => server.stop(),
    };
  };
};

/** A server behind a network that becomes bad. */
const serverBehind = (start: () => Promise<Server>, breakIt: Act<TcpProxy>, mend: Act<TcpProxy>) => {
  return async (): Promise<Subject> => {
    const server = await start();
    const proxy = await startTcpProxy(server.port);
    return {
      storageUri: server.uri.replace(`:${server.port}`, `:${proxy.port}`),
      breakIt: () => breakIt(proxy),
      mend: () => mend(proxy),
      async stop() {
        await proxy.stop();
        await server.stop();
      },
    };
  };
};

function clearUp(proxy: TcpProxy): void {
  proxy.weather = { kind: "fair" };
  // What was swallowed leaves a connection that is worth nothing any more.
  proxy.cut();
}

/** What can happen to any server, and to the way there. */
export function commonOutages({ name, start, strategies }: LosableServer): void {
  outageSuite({
    fault: `${name} hangs for five seconds`,
    lastsMs: 5000,
    counts: "kept",
    strategies,
    start: serverThat(
      start,
      (server) => server.pause(),
      (server) => server.resume(),
    ),
  });

  outageSuite({
    fault: `${name} is killed and started again`,
    counts: "forgotten",
    reconnects: true,
    strategies,
    start: serverThat(
      start,
      (server) => server.kill(),
      (server) => server.restart(),
    ),
  });

  for (const swallows of ["requests", "answers"] as const) {
    outageSuite({
      fault: `the way to ${name} swallows ${swallows} until the connection is cut`,
      counts: swallows === "requests" ? "kept" : "unheard",
      // All answers that are on their way have been read by then.
      lastsMs: 500,
      reconnects: true,
      strategies,
      start: serverBehind(
        start,
        (proxy) => {
          proxy.weather = { kind: "black hole", swallows };
        },
        clearUp,
      ),
    });
  }

  outageSuite({
    fault: `the way to ${name} takes longer than the deadline`,
    counts: "kept",
    strategies,
    start: serverBehind(
      start,
      (proxy) => {
        proxy.weather = { kind: "slow", delayMs: 200 };
      },
      (proxy) => {
        proxy.weather = { kind: "fair" };
      },
    ),
  });
}
