import { once } from "node:events";
import { connect, type Socket } from "node:net";
import Memcached from "memcached";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ClientLink } from "../../src/memcached/connection/client-link.js";
import { ClassicCommands, type Commands, MetaCommands } from "../../src/memcached/connection/commands.js";
import type { Item } from "../../src/memcached/connection/link.js";
import { readSteadily } from "../../src/memcached/connection/steady-read.js";
import { Wire } from "../../src/memcached/connection/wire.js";
import { type Server, startMemcached } from "../helpers/servers.js";

let server: Server;
beforeAll(async () => {
  server = await startMemcached();
});
afterAll(() => server.stop());

/** What the counter `key` held under each of its numbers, while it is incremented as fast as the server can. */
async function incrementing(key: string): Promise<{ readonly texts: Map<string, string>; end(): void }> {
  const texts = new Map<string, string>();
  const socket: Socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  const BATCH = 200;
  const more = () => socket.write(`ma ${key} N0 J1000000000000000 D1 v c\r\n`.repeat(BATCH));
  let [cas, rest, answered] = ["", "", 0];
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\r\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("VA")) cas = line.slice(line.lastIndexOf(" c") + 2);
      else {
        texts.set(cas, line);
        if (++answered % BATCH === 0) setImmediate(more);
      }
    }
  });
  more();
  return { texts, end: () => socket.destroy() };
}

const READERS = 3;
const READ_FOR_MS = 1500;

const ownWires = (Protocol: new (wire: Wire) => Commands): Commands[] =>
  Array.from({ length: READERS }, () => {
    const wire = new Wire({ host: "127.0.0.1", port: server.port }, 10_000);
    onTestFinished(() => wire.end(new Error("over")));
    return new Protocol(wire);
  });

function oneClient(): Commands[] {
  const client = new Memcached(`127.0.0.1:${server.port}`, { poolSize: READERS });
  onTestFinished(() => client.end());
  return [new ClientLink(client)];
}

describe.each([
  { road: "the meta commands", open: () => ownWires(MetaCommands) },
  { road: "the classic commands", open: () => ownWires(ClassicCommands) },
  { road: "the package's client", open: oneClient },
])("a counter that is read over $road", ({ road, open }) => {
  it("comes with the number that its text has, while others count", { timeout: 20_000 }, async () => {
    const key = `counter-of-${road.replaceAll(" ", "-")}`;
    const counting = await incrementing(key);
    const read: Item[] = [];
    const endsAt = performance.now() + READ_FOR_MS;
    const readOn = async (commands: Commands) => {
      while (performance.now() < endsAt) {
        // One that changes between all readings is not read, and may be asked for again.
        const item = await commands.readCounter(key).catch(() => undefined);
        if (item !== undefined) read.push(item);
      }
    };
    const readers = open().flatMap((commands) => Array.from({ length: 64 }, () => commands));
    await Promise.all(readers.map(readOn));
    await expect.poll(() => read.every(({ cas = "" }) => counting.texts.has(cas))).toBe(true);
    counting.end();
    expect(read.length).toBeGreaterThan(100);
    expect(read.filter(({ text, cas = "" }) => counting.texts.get(cas) !== text)).toEqual([]);
  });
});

describe("readSteadily", () => {
  const item = (text: string, cas: string): Item => ({ text, cas });
  const reading = (...answers: readonly (readonly [Item | undefined, Item | undefined])[]) => {
    const left = [...answers];
    return { left, readTwice: async () => left.shift() ?? expect.fail("read once more") };
  };

  it("takes the second of two that have one number", async () => {
    const { readTwice } = reading([item("7", "42"), item("8", "42")]);
    expect(await readSteadily("k", readTwice)).toEqual(item("8", "42"));
  });

  it("reads again when the numbers differ", async () => {
    const { readTwice, left } = reading(
      [item("7", "41"), item("8", "42")],
      [item("9", "43"), undefined],
      [undefined, undefined],
    );
    expect(await readSteadily("k", readTwice)).toBeUndefined();
    expect(left).toEqual([]);
  });

  it("gives up a counter that never stands still", async () => {
    let cas = 0;
    const readTwice = async () => [item("1", `${cas++}`), item("1", `${cas++}`)] as const;
    await expect(readSteadily("k", readTwice)).rejects.toThrow("too often");
  });
});
