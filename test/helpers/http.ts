import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  request,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How a request is made. */
export interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** A server on a free port of 127.0.0.1 that is closed when the test is over. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  send(method: string, path: string, ask?: Omit<Ask, "method">): Promise<Answer>;
  /** Statuses of one request after the other. */
  statuses(times: number, path: string, headers?: Record<string, string>): Promise<number[]>;
}

export async function serve(app: RequestListener, host = "127.0.0.1"): Promise<TestServer> {
  const server = createServer(app).listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  const send: TestServer["send"] = (method, path, ask = {}) => ask_({ port, path, method, ...ask });
  const get: TestServer["get"] = (path, headers = {}) => send("GET", path, { headers });
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    get,
    send,
    async statuses(times, path, headers) {
      const seen: number[] = [];
      for (let i = 0; i < times; i++) seen.push((await get(path, headers)).status);
      return seen;
    },
  };
}

function ask_(ask: Ask & { port: number; path: string }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { port, path, method = "GET", headers = {}, body } = ask;
    const req = request({ port, host: "127.0.0.1", path, method, headers, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("end", () =>
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
      res.on("error", reject);
    });
    req.on("error", reject);
    req.end(body);
  });
}
