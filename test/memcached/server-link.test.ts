import { once } from "node:events";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { ServerLink } from "../../src/memcached/connection/server-link.js";

interface FakeServer {
  readonly port: number;
  readonly sockets: Socket[];
  readonly written: string[];
  close(): Promise<void>;
}

const opened: { close(): unknown }[] = [];

/** A server that answers each chunk that arrives with whatever `answer` makes of it. */
async function fakeServer(answer: (chunk: string, socket: Socket) => void, port = 0): Promise<FakeServer> {
  const sockets: Socket[] = [];
  const written: string[] = [];
  const server: NetServer = createServer((socket) => {
    sockets.push(socket);
    socket.setEncoding("latin1");
    socket.on("error", () => {});
    socket.on("data", (chunk: string) => {
      written.push(chunk);
      answer(chunk, socket);
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const fake = {
    port: address.port,
    sockets,
    written,
    async close() {
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
  opened.push(fake);
  return fake;
}

function linkTo(port: number, stallMs = 200): ServerLink {
  const link = new ServerLink({ host: "127.0.0.1", port }, stallMs);
  opened.push(link);
  return link;
}

/** A read that is refused at once, when there was time to look whether the answers are there after all. */
async function refused(link: ServerLink): Promise<unknown> {
  link.read("hangs").catch(() => {});
  await sleep(5);
  return link.read("k");
}

const increment = (link: ServerLink, key: string, by = 1, first = "1") =>
  new Promise((resolve, failed) => {
    link.increment({ key, by, first, exptime: 60, failed, counted: (sum, cas) => resolve({ sum, cas }) });
  });

/** Knows the meta commands; answers the first question, and others by the table. */
function metaServer(answers: Record<string, string>): (chunk: string, socket: Socket) => void {
  return (chunk, socket) => {
    for (const line of chunk.split("\r\n")) {
      if (line.startsWith("ma express-limits-hello")) socket.write("NF\r\n");
      else
        for (const [start, reply] of Object.entries(answers)) if (line.startsWith(start)) socket.write(reply);
    }
  };
}

/** Holds one counter, speaks no meta commands, and has always just been written by somebody else. */
function classicServer(): (chunk: string, socket: Socket) => void {
  let counter = "";
  const answers: Record<string, (line: string, text: string) => string> = {
    ma: () => "ERROR",
    add(_, text) {
      counter = text;
      return "STORED";
    },
    incr(line) {
      if (counter === "") return "NOT_FOUND";
      counter = String(Number(counter) + Number(line.split(" ")[2]));
      return counter;
    },
    gets: () => `VALUE k 0 ${counter.length} 9\r\n${counter}\r\nEND`,
    cas: () => "EXISTS",
  };
  return (chunk, socket) => {
    const lines = chunk.split("\r\n");
    for (const [i, line] of lines.entries()) {
      const answer = answers[line.split(" ")[0] ?? ""];
      if (answer !== undefined) socket.write(`${answer(line, lines[i + 1] ?? "")}\r\n`);
    }
  };
}

afterEach(async () => {
  for (const { close } of opened.splice(0).map((o) => ({ close: () => o.close() }))) await close();
});

describe("ServerLink", () => {
  it("writes the commands of one turn together", async () => {
    const server = await fakeServer(metaServer({ "ma k": "VA 1 c1\r\n1\r\n", "mg k": "EN\r\n" }));
    const link = linkTo(server.port);
    await link.read("k");
    await Promise.all([increment(link, "k1"), increment(link, "k2"), link.read("k3")]);
    expect(server.written.at(-1)).toBe("ma k1 N60 J1 D1 v c\r\nma k2 N60 J1 D1 v c\r\nmg k3 v c\r\n");
  });

  it("rejects what the server refuses, and goes on", async () => {
    const server = await fakeServer(
      metaServer({
        "ma big": "SERVER_ERROR out of memory\r\n",
        "ma text": "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
        "mg k": "VA 2 c5\r\nhi\r\n",
      }),
    );
    const link = linkTo(server.port);
    const answers = await Promise.allSettled([
      increment(link, "big"),
      increment(link, "text"),
      link.read("k"),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
    expect(answers[0]).toMatchObject({ reason: { message: expect.stringContaining("out of memory") } });
    expect(await link.read("k")).toEqual({ text: "hi", cas: "5" });
    expect(server.sockets).toHaveLength(1);
  });

  it("ends a connection whose answers may have shifted", async () => {
    const server = await fakeServer(
      metaServer({ "ms k": "CLIENT_ERROR bad command line format\r\nERROR\r\n" }),
    );
    const link = linkTo(server.port);
    const answers = await Promise.allSettled([link.write("k", "abc", undefined, 60), link.read("other")]);
    expect(answers.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  it("ends a connection that answers what was not asked", async () => {
    const server = await fakeServer(metaServer({ "mg k": "EN\r\nHD\r\n" }));
    const link = linkTo(server.port);
    await link.read("k");
    await expect.poll(() => server.sockets[0]?.destroyed ?? false).toBe(true);
  });

  it("fails what was under way when the connection is lost, and connects again by itself", async () => {
    const server = await fakeServer(metaServer({ "mg k": "EN\r\n" }));
    const link = linkTo(server.port);
    await link.read("k");
    const lost = link.read("unanswered");
    await expect.poll(() => server.written.join("")).toContain("unanswered");
    server.sockets[0]?.destroy();
    await expect(lost).rejects.toThrow(/closed the connection|ECONNRESET/);
    expect(await link.read("k")).toBeUndefined();
    expect(server.sockets).toHaveLength(2);
  });

  it("fails at once while the server is away, and works when it is back", async () => {
    const first = await fakeServer(metaServer({ "mg k": "EN\r\n" }));
    const link = linkTo(first.port);
    await link.read("k");
    await first.close();
    await expect.poll(() => link.read("k").then(String, String)).toContain("ECONNREFUSED");
    const startedAt = performance.now();
    await expect(link.read("k")).rejects.toThrow();
    expect(performance.now() - startedAt).toBeLessThan(50);
    await fakeServer(metaServer({ "mg k": "EN\r\n" }), first.port);
    await expect.poll(() => link.read("k").then(String, String), { timeout: 5000 }).toBe("undefined");
  });

  it("gathers no commands for a server that hangs, and gives it up in the end", async () => {
    const server = await fakeServer(metaServer({ "mg k": "EN\r\n" }));
    const link = linkTo(server.port, 20);
    await link.read("k");
    const hanging = link.read("hangs");
    hanging.catch(() => {});
    await sleep(60);
    await expect(refused(link)).rejects.toThrow(/has not answered/);
    await sleep(200);
    await expect(link.read("k")).rejects.toThrow(/has not answered/);
    await expect(hanging).rejects.toThrow(/has not answered/);
    expect(await link.read("k")).toBeUndefined();
  });

  it("takes commands as soon as a server that hung answers again, though it owes more", async () => {
    const server = await fakeServer(metaServer({ "mg k": "EN\r\n", "mg late": "EN\r\nEN\r\nEN\r\n" }));
    const link = linkTo(server.port, 500);
    await link.read("k");
    const [first, second] = [link.read("first"), link.read("second")];
    await sleep(700);
    await expect(refused(link)).rejects.toThrow(/has not answered/);
    server.sockets[0]?.write("EN\r\n");
    await first;
    const late = link.read("late");
    expect(await Promise.all([second, late])).toEqual([undefined, undefined]);
  });

  it("blames no server that has answered while this process stood still", async () => {
    const server = await fakeServer(metaServer({ "mg k": "EN\r\n" }));
    const link = linkTo(server.port, 50);
    await link.read("k");
    for (const when of [setImmediate, (go: () => void) => go()]) {
      const before = link.read("k");
      await new Promise<void>((go) => when(go));
      const endsAt = performance.now() + 100;
      while (performance.now() < endsAt);
      expect(await Promise.all([before, link.read("k")])).toEqual([undefined, undefined]);
    }
  });

  it("speaks the classic commands to an old server", async () => {
    const server = await fakeServer(classicServer());
    const link = linkTo(server.port);
    expect(await increment(link, "k", 2, "1000000000000002")).toEqual({ sum: 1_000_000_000_000_002, cas: 0 });
    expect(await increment(link, "k", 5, "4000000000000005")).toEqual({ sum: 1_000_000_000_000_007, cas: 0 });
    expect(await link.read("k")).toEqual({ text: "1000000000000007", cas: "9" });
    expect(await link.write("k", "1000000000000001", "8", 60)).toBe(false);
  });
});
