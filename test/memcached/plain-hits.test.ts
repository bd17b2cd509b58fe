import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { ConfigurationError, RateLimiter } from "../../src/core/index.js";
import { createPolicy } from "../../src/core/policy.js";
import { RateLimit } from "../../src/core/rate-limit.js";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import { fixedWindow } from "../../src/core/strategies/fixed-window.js";
import { CounterText } from "../../src/memcached/counter-text.js";
import { MemcachedStorage } from "../../src/memcached/index.js";
import { Windows } from "../../src/memcached/window.js";
import { WindowCharge } from "../../src/memcached/window-charge.js";
import { startMemcached } from "../helpers/servers.js";
import { newClaim, TurnedClock } from "./claims.js";
import { FakeClient } from "./fake-client.js";
import { FakeServer } from "./fake-server.js";
import { roads } from "./roads.js";

const COUNT_DIGITS = 9;
const TIMEOUT_MS = 100;

/** Each a limit of its own for the same client. */
const claimsOf = (...amounts: number[]) =>
  amounts.map((amount, i) => newClaim({ amount, multiples: i + 1, key: "ada" }));

describe("a list of fixed windows on a server that fails", () => {
  let server: FakeServer;
  let storage: MemcachedStorage;
  beforeEach(async () => {
    server = new FakeServer();
    storage = new MemcachedStorage(await server.listen(), { commandTimeoutMs: 5000 });
    await storage.check();
  });
  afterEach(async () => {
    storage.close();
    await server.close();
  });

  const counts = () => [...server.items.values()].map(({ text }) => Number(text.slice(-COUNT_DIGITS)));

  /** Lets so many answers of charges pass; what comes after is given to `then`. */
  const afterAnswers = (many: number, then: (answer: string, socket: Socket) => void) => {
    let answered = 0;
    server.reply = (answer, socket, command) => {
      if (!command.startsWith("ma test:") || ++answered <= many) socket.write(answer);
      else then(answer, socket);
    };
  };

  it.each([0, 1, 2, 3])("gives back what was answered when it dies after %d of 4 answers", async (many) => {
    const claims = claimsOf(5, 6, 7, 8);
    await storage.hit(claims, ALL_OR_NOTHING);
    afterAnswers(many, (_answer, socket) => socket.destroy());
    await expect(storage.hit(claims, ALL_OR_NOTHING)).rejects.toMatchObject({ code: "STORAGE" });
    // Whether the others were counted nobody knows: they stay.
    const expected = [0, 1, 2, 3].map((place) => (place < many ? 1 : 2));
    await expect.poll(counts).toEqual(expected);
    await sleep(50);
    expect(counts()).toEqual(expected);
  });

  it.each([0, 1, 2])("gives all back when the deadline passes after %d of 3 answers", async (many) => {
    const claims = claimsOf(5, 6, 7);
    await storage.hit(claims, ALL_OR_NOTHING);
    const held: (() => void)[] = [];
    afterAnswers(many, (answer, socket) => held.push(() => socket.write(answer)));
    const hit = storage.hit(claims, { mode: "all", timeoutMs: TIMEOUT_MS });
    await expect(hit).rejects.toThrow(`within ${TIMEOUT_MS} ms`);
    expect(counts()).toEqual([2, 2, 2]);
    for (const release of held) release();
    await expect.poll(counts).toEqual([1, 1, 1]);
  });

  it("gives back the others when one counter cannot be added to", async () => {
    const claims = claimsOf(5, 6, 7);
    await storage.hit(claims, ALL_OR_NOTHING);
    let answered = 0;
    server.reply = (answer, socket, command) => {
      const isSecond = command.startsWith("ma test:") && ++answered === 2;
      socket.write(isSecond ? "SERVER_ERROR out of memory\r\n" : answer);
    };
    await expect(storage.hit(claims, ALL_OR_NOTHING)).rejects.toMatchObject({
      cause: { message: expect.stringContaining("out of memory") },
    });
    await expect.poll(counts).toEqual([1, 2, 1]);
  });

  it("rejects what is no counter", async () => {
    const claims = claimsOf(5, 6);
    await storage.hit(claims, ALL_OR_NOTHING);
    server.reply = (_answer, socket) => socket.write("VA 5 c1\r\nhello\r\n");
    await expect(storage.hit(claims, ALL_OR_NOTHING)).rejects.toThrow(/A counter holds/);
  });

  it.each([1, 2, 7, 33])("decides on answers that arrive in pieces of %d bytes", async (size) => {
    const claims = claimsOf(5, 6, 7);
    let pending = "";
    const drip = (socket: Socket) => {
      socket.write(pending.slice(0, size));
      pending = pending.slice(size);
      if (pending !== "") setImmediate(drip, socket);
    };
    server.reply = (answer, socket) => {
      if (pending === "") setImmediate(drip, socket);
      pending += answer;
    };
    for (const used of [1, 2]) {
      const verdicts = await storage.hit(claims, ALL_OR_NOTHING);
      expect(verdicts.map(({ remaining }) => remaining)).toEqual([5 - used, 6 - used, 7 - used]);
    }
  });

  it("tries a list again that only another list of this process was in the way of", async () => {
    const [only, wide] = claimsOf(1, 9) as [Claim, Claim];
    const full = newClaim({ amount: 1, key: "full" });
    await storage.hit([full], ALL_OR_NOTHING);
    const lists = [storage.hit([only, full], ALL_OR_NOTHING), storage.hit([only, wide], ALL_OR_NOTHING)];
    const allowed = (await Promise.all(lists)).map((verdicts) => verdicts.map((verdict) => verdict.allowed));
    expect(allowed).toEqual([
      [true, false],
      [true, true],
    ]);
    expect(await storage.test([only, wide])).toMatchObject([{ remaining: 0 }, { remaining: 8 }]);
  });

  it("decides many lists on answers that arrive all at once", async () => {
    let merged = "";
    let commands = 0;
    server.reply = (answer, socket) => {
      merged += answer;
      if (++commands === 60) socket.write(merged);
    };
    const lists = Array.from({ length: 20 }, () => storage.hit(claimsOf(50, 60, 70), ALL_OR_NOTHING));
    const left = (await Promise.all(lists)).map((verdicts) => verdicts.map(({ remaining }) => remaining));
    expect(left).toEqual(Array.from({ length: 20 }, (_, i) => [49 - i, 59 - i, 69 - i]));
  });
});

describe.each(roads)("a list of fixed windows over $road", ({ open, hasPool }) => {
  const places = [2, 3, 4, 5].flatMap((size) =>
    Array.from({ length: size }, (_, place) => ({ size, place })),
  );

  it("gives back exactly what it was refused, whichever limit of however many refuses", async () => {
    const server = await startMemcached();
    onTestFinished(() => server.stop());
    const { storage, close } = await open(server.port, { commandTimeoutMs: 10_000 });
    onTestFinished(close);
    for (const { size, place } of places) {
      const claims = Array.from({ length: size }, (_, i) =>
        newClaim({ amount: i === place ? 2 : 10 + i, multiples: i + 1, key: `${size} of ${place}` }),
      );
      const left = async () => (await storage.test(claims)).map(({ remaining }) => remaining);
      const hits = await Promise.all(claims.concat(claims).map(() => storage.hit(claims, ALL_OR_NOTHING)));
      const admitted = hits.filter((verdicts) => verdicts.every(({ allowed }) => allowed)).length;
      // Over a pool commands overtake each other, so that lists may refuse each other.
      if (hasPool) expect(admitted).toBeLessThanOrEqual(2);
      else expect(admitted).toBe(2);
      const expected = claims.map(({ policy }) => policy.limit.amount - admitted);
      expect(await left(), `limit ${place} of ${size}`).toEqual(expected);
      const refused = await storage.hit([...claims].reverse(), ALL_OR_NOTHING);
      if (admitted === 2) expect(refused[size - 1 - place]).toMatchObject({ allowed: false, remaining: 0 });
      expect(await left()).toEqual(expected.map((amount) => amount - (admitted === 2 ? 0 : 1)));
    }
  });
});

describe("a charge of a fixed window", () => {
  it("is told what the strategy says", () => {
    const HOUR_MS = 3_600_000;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 0, max: 2000 }),
        fc.integer({ min: 0, max: 2 * HOUR_MS }),
        (amount, units, before, laterMs) => {
          const policy = createPolicy(new RateLimit(amount, 1, "hour"), "fixed-window");
          const claim = { ...newClaim(), policy, cost: Math.min(units, amount) };
          const text = new CounterText(policy);
          const window = new Windows(policy).at(claim, 1e9);
          const charge = new WindowCharge(claim, window, text, 60, { arrived() {} });
          charge.counted(Number(text.first(before + claim.cost)), 7);
          const now = 1e9 + laterMs;
          const state = { count: Math.min(before, amount), endsAt: window.endsAt };
          const said = fixedWindow.hit(state, policy, claim.cost, Math.min(now, window.endsAt - 1));
          const admission = charge.admission(now);
          if (!said.allowed) expect(admission).toBeUndefined();
          else {
            const { allowed, remaining, resetAfterMs, retryAfterMs, receipt } = said;
            expect(admission).toMatchObject({ allowed, remaining, resetAfterMs, retryAfterMs, receipt });
          }
        },
      ),
    );
  });

  it("counts on one counter with the same key that is not told in parts", async () => {
    const client = new FakeClient();
    const limiter = new RateLimiter({ storage: new MemcachedStorage(client) });
    for (const who of ["10.0.0.1", "a$&b", "x".repeat(300), "é{}%"]) {
      client.items.clear();
      await limiter.hit("5 per hour", who);
      const told: string[] = [];
      const storage = new MemcachedStorage(client);
      const hit = storage.hit.bind(storage);
      storage.hit = (claims, options) => {
        told.push(...claims.map(({ owner }) => String(owner)));
        return hit(
          claims.map(({ policy, key, cost, role }) => ({ policy, key, cost, role })),
          options,
        );
      };
      const other = new RateLimiter({ storage });
      expect(await other.hit("5 per hour", who)).toMatchObject({ remaining: 3 });
      expect(client.items.size).toBe(1);
      expect(told).toHaveLength(1);
    }
  });

  it("leaves together with what else was asked in its turn, over a client too", async () => {
    const client = new FakeClient();
    const storage = new MemcachedStorage(client);
    await storage.hit(claimsOf(5), ALL_OR_NOTHING);
    const events: string[] = [];
    client.before = () => {
      events.push("sent");
    };
    const hits = [1, 2, 3].map(async () => {
      await Promise.resolve();
      events.push("asked");
      return storage.hit(claimsOf(5), ALL_OR_NOTHING);
    });
    await Promise.all(hits);
    expect(events).toEqual(["asked", "asked", "asked", "sent", "sent", "sent"]);
  });

  it("that is answered twice does not stand for the others of its list", async () => {
    const client = new FakeClient();
    const storage = new MemcachedStorage(client);
    await storage.hit(claimsOf(5, 6), ALL_OR_NOTHING);
    const incr = client.incr.bind(client);
    let calls = 0;
    client.incr = (key, amount, callback) => {
      if (++calls === 2) return;
      incr(key, amount, (error, result) => {
        callback(error, result);
        callback(error, result);
      });
    };
    const hit = storage.hit(claimsOf(5, 6), { mode: "all", timeoutMs: 30 });
    await expect(hit).rejects.toMatchObject({ code: "STORAGE" });
  });

  it("that is answered after its deadline stands, as long as nobody was told that it is late", async () => {
    const client = new FakeClient();
    const storage = new MemcachedStorage(client);
    await storage.hit(claimsOf(5, 6), ALL_OR_NOTHING);
    client.before = (command) => {
      const until = performance.now() + (command === "incr" ? 15 : 0);
      while (performance.now() < until);
    };
    const hit = storage.hit(claimsOf(5, 6), { mode: "all", timeoutMs: 10 });
    expect(await hit).toMatchObject([{ allowed: true }, { allowed: true }]);
    const counts = [...client.items.values()].map(({ text }) => Number(text.slice(-COUNT_DIGITS)));
    expect(counts).toEqual([2, 2]);
  });

  it("that cannot be counted rejects", async () => {
    const storage = new MemcachedStorage(new FakeClient());
    const hit = storage.hit([newClaim({ amount: 1e11 })], ALL_OR_NOTHING);
    await expect(hit).rejects.toBeInstanceOf(ConfigurationError);
  });

  it("turns its windows by the client, alike in every process", () => {
    const clock = new TurnedClock(1e9);
    const windows = (multiples: number, key: string) => {
      const claim = newClaim({ multiples, key });
      return new Windows(claim.policy).at(claim, clock.now());
    };
    expect(windows(1, "ada").endsAt).toBe(windows(1, "ada").endsAt);
    expect(windows(1, "ada").endsAt).not.toBe(windows(1, "bob").endsAt);
    const { key, base, startsAt, endsAt } = windows(3, "ada");
    expect(key).toMatch(new RegExp(`^${base.replace(/[{}]/g, "\\$&")}#\\d+$`));
    expect(endsAt - startsAt).toBe(3 * 3_600_000);
    expect(startsAt).toBeLessThanOrEqual(clock.now());
    expect(endsAt).toBeGreaterThan(clock.now());
  });
});
