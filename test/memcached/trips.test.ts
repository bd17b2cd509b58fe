import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import Memcached from "memcached";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { BLOCK_POLICY, STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import { ReplyReader } from "../../src/memcached/connection/reply-reader.js";
import { writeTogether } from "../../src/memcached/connection/write-together.js";
import { MemcachedStorage } from "../../src/memcached/index.js";
import { ask } from "../helpers/server-process.js";
import { type Server, startMemcached } from "../helpers/servers.js";
import { newClaim } from "./claims.js";

let server: Server;
beforeAll(async () => {
  server = await startMemcached();
});
afterAll(() => server.stop());

/** Stands before the server and counts what arrives: what is written together arrives together. */
async function countingProxy(isOld: boolean) {
  const proxy = {
    port: 0,
    trips: 0,
    close: () => listener.close(),
  };
  const listener = createServer((socket) => {
    const to = connect(server.port, "127.0.0.1");
    const answers = togetherAnswers(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      proxy.trips++;
      if (isOld && String(chunk).startsWith("ma ")) return socket.write("ERROR\r\n");
      answers.asked(String(chunk));
      return to.write(chunk);
    });
    to.on("data", (chunk) => answers.arrived(chunk));
    socket.on("close", () => to.destroy());
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  proxy.port = address.port;
  return proxy;
}

/** Passes answers on when all are there: the server sends those of `gets` one by one, and they may arrive so. */
function togetherAnswers(socket: Socket) {
  let missing = 0;
  let chunks: Buffer[] = [];
  const reader = new ReplyReader(() => missing--);
  return {
    asked(commands: string) {
      missing += commands.match(/^[a-z]/gm)?.length ?? 0;
    },
    arrived(chunk: Buffer) {
      chunks.push(chunk);
      reader.push(chunk);
      if (missing > 0) return;
      socket.write(Buffer.concat(chunks));
      chunks = [];
    },
  };
}

describe.each([
  { speaks: "the meta commands", isOld: false },
  { speaks: "the classic commands", isOld: true },
])("MemcachedStorage and a server that speaks $speaks", ({ isOld }) => {
  let proxy: Awaited<ReturnType<typeof countingProxy>>;
  let storage: MemcachedStorage;
  beforeEach(async () => {
    await ask(server.port, "flush_all\r\n");
    proxy = await countingProxy(isOld);
    storage = new MemcachedStorage(`memcached://127.0.0.1:${proxy.port}`, { commandTimeoutMs: 10_000 });
    await storage.check();
  });
  afterEach(() => {
    storage.close();
    proxy.close();
  });

  const tripsOf = async (work: () => Promise<unknown>) => {
    const before = proxy.trips;
    await work();
    return proxy.trips - before;
  };
  const hit = (...claims: Claim[]) => tripsOf(() => storage.hit(claims, ALL_OR_NOTHING));

  it("need one trip for any number of windows, and at most two for new ones", async () => {
    const block: Claim = { policy: BLOCK_POLICY, key: "test:{ada}:block", cost: 1000, role: "meta" };
    const claims = [
      block,
      ...[10, 20, 30].map((amount) => newClaim({ amount })),
      newClaim({ strategy: "sliding-window-counter" }),
    ];
    expect(await hit(...claims)).toBe(isOld ? 2 : 1);
    expect(await hit(...claims)).toBe(1);
  });

  it("need one trip for all hits of a turn", async () => {
    const claims = Array.from({ length: 20 }, (_, i) => newClaim({ key: `client-${i}`, amount: 100 }));
    await storage.hit(claims, ALL_OR_NOTHING);
    expect(await tripsOf(() => Promise.all(claims.map((claim) => hit(claim))))).toBe(1);
  });

  it("need one trip for each refusal but the first", async () => {
    const claims = [newClaim({ amount: 1 }), newClaim({ amount: 50 })];
    await hit(...claims);
    expect(await hit(...claims)).toBeLessThanOrEqual(isOld ? 3 : 2);
    expect(await hit(...claims)).toBe(1);
    expect(await hit(...claims)).toBe(1);
  });

  it.each(["token-bucket", "moving-window"] as const)(
    "need two trips for a %s, one to refuse",
    async (strategy) => {
      const claim = newClaim({ strategy, amount: 1 });
      expect(await hit(claim)).toBe(2);
      expect(await hit(claim)).toBe(1);
    },
  );

  it.each(["token-bucket", "moving-window"] as const)(
    "decide what waits for a %s together",
    async (strategy) => {
      const claim = newClaim({ strategy, amount: 50 });
      const hits = () => Promise.all(Array.from({ length: 100 }, () => storage.hit([claim], ALL_OR_NOTHING)));
      expect(await tripsOf(hits)).toBe(2);
    },
  );

  it.each(STRATEGY_NAMES)("need one trip to test, by %s", async (strategy) => {
    expect(
      await tripsOf(() => storage.test([newClaim({ strategy }), newClaim({ strategy, amount: 9 })])),
    ).toBe(1);
  });
});

describe("MemcachedStorage over the package's client", () => {
  it("needs one trip for all hits of a turn that find their counters", async () => {
    const proxy = await countingProxy(false);
    const client = new Memcached(`127.0.0.1:${proxy.port}`);
    onTestFinished(() => {
      client.end();
      proxy.close();
    });
    const storage = new MemcachedStorage(client, { commandTimeoutMs: 10_000 });
    const claims = Array.from({ length: 20 }, (_, i) => newClaim({ key: `client-${i}`, amount: 100 }));
    const hits = () => Promise.all(claims.map((claim) => storage.hit([claim], ALL_OR_NOTHING)));
    await hits();
    const before = proxy.trips;
    expect((await hits()).map(([verdict]) => verdict?.remaining)).toEqual(claims.map(() => 98));
    expect(proxy.trips - before).toBe(1);
  });
});

describe("writeTogether", () => {
  it("holds back what the open connections of a client write, and lets it go whatever happens", () => {
    const log: string[] = [];
    const socketOf = (name: string) => ({
      cork: () => log.push(`${name} held`),
      uncork: () => log.push(`${name} free`),
    });
    const client = {
      connections: { "a:1": { pool: [socketOf("a1"), socketOf("a2")] }, "b:1": { pool: [] } },
    };
    expect(() =>
      writeTogether(client, () => {
        log.push("work");
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(log).toEqual(["a1 held", "a2 held", "work", "a1 free", "a2 free"]);
  });

  it.each([
    {},
    { connections: null },
    { connections: { a: undefined, b: { pool: 3 }, c: { pool: [null, "x", { cork: 1 }] } } },
  ])("only does the work with a client like %j", (client) => {
    let done = 0;
    writeTogether(client, () => done++);
    expect(done).toBe(1);
  });
});
