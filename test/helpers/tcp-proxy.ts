import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What the network does with bytes. */
export type Weather =
  | { readonly kind: "fair" }
  /** Each chunk arrives so much later, in order. */
  | { readonly kind: "slow"; readonly delayMs: number }
  /** Every byte arrives by itself. */
  | { readonly kind: "crumbling" }
  /** Nothing arrives any more, and nobody is told: what was sent is lost with the connection. */
  | { readonly kind: "black hole"; readonly swallows: "requests" | "answers" };

const FAIR: Weather = { kind: "fair" };

/** A bad network in front of a server. */
export interface TcpProxy {
  readonly port: number;
  /** For what is sent from now on. */
  weather: Weather;
  /** Ends all connections with a reset, and what was on its way in them. New ones are taken. */
  cut(): void;
  stop(): Promise<void>;
}

class Road {
  readonly #to: Socket;
  readonly #weather: () => Weather;
  readonly #direction: "requests" | "answers";
  #last: Promise<void> = Promise.resolve();
  #isLost = false;

  constructor(from: Socket, to: Socket, direction: "requests" | "answers", weather: () => Weather) {
    this.#to = to;
    this.#weather = weather;
    this.#direction = direction;
    from.on("data", (chunk: Buffer) => this.#carry(chunk));
  }

  #carry(chunk: Buffer): void {
    const weather = this.#weather();
    // TCP has no holes: what follows lost bytes is lost, too.
    if (weather.kind === "black hole" && weather.swallows === this.#direction) this.#isLost = true;
    if (this.#isLost) return;
    const dueAt = performance.now() + (weather.kind === "slow" ? weather.delayMs : 0);
    this.#last = this.#last.then(() => this.#deliver(chunk, dueAt, weather.kind === "crumbling"));
  }

  async #deliver(chunk: Buffer, dueAt: number, isCrumbled: boolean): Promise<void> {
    const delayMs = dueAt - performance.now();
    if (delayMs > 0) await sleep(delayMs);
    if (!isCrumbled) {
      this.#to.write(chunk);
      return;
    }
    for (const byte of chunk) {
      this.#to.write(Buffer.of(byte));
      // A turn of the event loop between them, so that each is read alone.
      await new Promise(setImmediate);
    }
  }
}

/** Starts a proxy to a port of this machine. */
export async function startTcpProxy(serverPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let weather: Weather = FAIR;
  const keep = (socket: Socket, other: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      other.destroy();
    });
  };
  const listener = createServer((client) => {
    const server = connect(serverPort, "127.0.0.1");
    keep(client, server);
    keep(server, client);
    new Road(client, server, "requests", () => weather);
    new Road(server, client, "answers", () => weather);
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: (listener.address() as AddressInfo).port,
    get weather() {
      return weather;
    },
    set weather(next) {
      weather = next;
    },
    cut,
    async stop() {
      cut();
      listener.close();
      await once(listener, "close");
    },
  };
}
