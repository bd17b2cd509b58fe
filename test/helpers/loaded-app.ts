import { once } from "node:events";
import { Agent, createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import express, { type NextFunction, type Request, type Response } from "express";
import { Limiter, type LimiterOptions, type StrategyName } from "express-limits";

/** A request, as the app saw it. Instants are of `performance.now()`. */
export interface Served {
  readonly arrivedAt: number;
  /** `undefined` while it waits. */
  answeredAt: number | undefined;
  status: number;
  /** What its first limit had left; `undefined` when nothing was decided. */
  remaining: number | undefined;
}

/** What the limiter told of its storage, and when. */
export interface Told {
  readonly event: "lost" | "back";
  readonly at: number;
}

export interface LoadedAppOptions {
  readonly limiter: LimiterOptions;
  /** The strategies of the route's two limits, which are decided together. */
  readonly strategies: readonly [StrategyName, StrategyName];
}

export const AMOUNT = 100_000;
const IN_FLIGHT = 64;

/** After its answer a client waits so long before it asks again: when nothing is answered, all wait soon. */
const PAUSE_MS = 80;

/** An Express app with a limiter, and clients that never tire of it. */
export class LoadedApp {
  readonly limiter: Limiter;
  readonly served: Served[] = [];
  readonly told: Told[] = [];
  /** Statuses as the clients saw them; 0 for a request that got no answer. */
  readonly statuses: number[] = [];
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  #clients: Promise<void>[] = [];
  #isLoaded = false;

  constructor({ limiter: options, strategies }: LoadedAppOptions) {
    this.limiter = new Limiter(options);
    this.limiter.on("storageError", () => this.#tell("lost"));
    this.limiter.on("storageRecovered", () => this.#tell("back"));
    const app = express();
    const cost = (req: Request) => Number(req.get("x-cost") ?? 1);
    app.get(
      "/",
      (_req, res, next) => this.#arrive(res, next),
      this.limiter.limit(`${AMOUNT} per year`, { cost, strategy: strategies[0] }),
      this.limiter.limit(`${2 * AMOUNT} per year`, { cost, strategy: strategies[1] }),
      (req, res) => {
        (res.locals["served"] as Served).remaining = req.rateLimit?.remaining;
        res.end();
      },
    );
    app.use((error: { status?: number }, _req: Request, res: Response, _next: NextFunction) => {
      res.status(error.status ?? 500).end();
    });
    this.#server = createServer(app);
    // Else a connection that rested for five seconds may be closed just when a client takes it again.
    this.#server.keepAliveTimeout = 0;
  }

  async listen(): Promise<void> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
  }

  /** Makes one request; its status. */
  ask(headers: Record<string, string> = {}): Promise<number> {
    const { port } = this.#server.address() as AddressInfo;
    return new Promise((resolve) => {
      get({ port, host: "127.0.0.1", path: "/", agent: this.#agent, headers }, (res) => {
        res.resume().on("end", () => resolve(res.statusCode ?? 0));
      }).on("error", () => resolve(0));
    });
  }

  /** 64 clients ask from now on, each again after its answer. */
  load(): void {
    this.#isLoaded = true;
    this.#clients = Array.from({ length: IN_FLIGHT }, () => this.#askOnAndOn());
  }

  /** Resolves when the clients have their last answers. */
  async unload(): Promise<void> {
    this.#isLoaded = false;
    await Promise.all(this.#clients);
  }

  /** What the address that all clients come from has used of each limit, by the storage's count. */
  async used(): Promise<number[]> {
    return (await this.limiter.peek("127.0.0.1")).map(({ used }) => used);
  }

  async close(): Promise<void> {
    await this.unload();
    this.#agent.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await this.limiter.close();
  }

  async #askOnAndOn(): Promise<void> {
    while (this.#isLoaded) {
      this.statuses.push(await this.ask());
      await sleep(PAUSE_MS);
    }
  }

  #arrive(res: Response, next: () => void): void {
    const served: Served = {
      arrivedAt: performance.now(),
      answeredAt: undefined,
      status: 0,
      remaining: undefined,
    };
    this.served.push(served);
    res.locals["served"] = served;
    res.on("finish", () => {
      served.answeredAt = performance.now();
      served.status = res.statusCode;
    });
    next();
  }

  #tell(event: Told["event"]): void {
    this.told.push({ event, at: performance.now() });
  }
}
