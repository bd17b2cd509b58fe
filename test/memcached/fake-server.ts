import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

/** A server over a map that speaks the meta commands, and whose answers can be held back, cut, or lost. */
export class FakeServer {
  readonly items = new Map<string, { text: string; cas: number }>();
  /** Every command that was executed, in order: `"ma key"`. */
  readonly log: string[] = [];
  /** Sends the answer of an executed command; tests put something else in its place. */
  reply: (answer: string, socket: Socket, command: string) => void = (answer, socket) => socket.write(answer);
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #writes = 0;

  constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  /** Starts; gives the URI. */
  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return `memcached://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setEncoding("latin1");
    socket.on("error", () => {});
    let lines: string[] = [];
    let rest = "";
    socket.on("data", (chunk: string) => {
      const parts = (rest + chunk).split("\r\n");
      rest = parts.pop() ?? "";
      lines = lines.concat(parts);
      while (lines.length > (lines[0]?.startsWith("ms ") ? 1 : 0)) {
        const command = lines.shift() ?? "";
        const answer = this.#execute(command, () => lines.shift() ?? "");
        this.reply(`${answer}\r\n`, socket, command);
      }
    });
  }

  #execute(command: string, nextLine: () => string): string {
    const [verb = "", key = "", ...flags] = command.split(" ");
    const flag = (letter: string) => flags.find((text) => text.startsWith(letter))?.slice(1);
    if (key === "express-limits-hello") return "NF";
    this.log.push(`${verb} ${key}`);
    const item = this.items.get(key);
    if (verb === "ma") {
      return this.#put(key, item === undefined ? flag("J") : String(Number(item.text) + Number(flag("D"))));
    }
    if (verb === "mg") return item === undefined ? "EN" : valueReply(item);
    if (verb !== "ms") return "MN";
    const text = nextLine();
    const cas = flag("C");
    if (cas !== undefined && Number(cas) !== item?.cas) return item === undefined ? "NF" : "EX";
    this.#put(key, text);
    return "HD";
  }

  #put(key: string, text = ""): string {
    const item = { text, cas: ++this.#writes };
    this.items.set(key, item);
    return valueReply(item);
  }
}

function valueReply({ text, cas }: { text: string; cas: number }): string {
  return `VA ${text.length} c${cas}\r\n${text}`;
}
