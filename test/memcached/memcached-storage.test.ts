import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BLOCK_POLICY, STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import type { Verdict } from "../../src/core/strategy.js";
import type { MemcachedStorage } from "../../src/memcached/index.js";
import { MemoryStorage } from "../../src/memory/index.js";
import { ask } from "../helpers/server-process.js";
import { type Server, startMemcached } from "../helpers/servers.js";
import { newClaim, TurnedClock } from "./claims.js";
import { type OpenedStorage, roads } from "./roads.js";

const NOON = Date.UTC(2026, 6, 1, 12);

let server: Server;
beforeAll(async () => {
  server = await startMemcached();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await ask(server.port, "flush_all\r\n");
});

const admitted = (verdicts: readonly (readonly Verdict[])[]) =>
  verdicts.filter((list) => list.every(({ allowed }) => allowed)).length;

async function itemsEverStored(): Promise<number> {
  return Number(/STAT total_items (\d+)/.exec(await ask(server.port, "stats\r\n"))?.[1]);
}

describe.each(roads)("MemcachedStorage over $road", ({ open }) => {
  let opened: OpenedStorage[] = [];
  let clock: TurnedClock;
  let storage: MemcachedStorage;

  const openOne = async () => {
    const one = await open(server.port, { clock, commandTimeoutMs: 10_000 });
    opened.push(one);
    return one.storage;
  };

  beforeEach(async () => {
    clock = new TurnedClock(NOON);
    storage = await openOne();
  });
  afterEach(async () => {
    for (const one of opened) await one.close();
    opened = [];
  });

  const hit = async (...claims: Claim[]) => storage.hit(claims, ALL_OR_NOTHING);
  const hitOne = async (claim: Claim) => (await hit(claim))[0]!;
  const testOne = async (claim: Claim) => (await storage.test([claim]))[0]!;

  it.each(STRATEGY_NAMES)("admits exactly the amount by %s, to 100 at once", async (strategy) => {
    const claim = newClaim({ strategy, amount: 10 });
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => hit(claim)));
    expect(admitted(verdicts)).toBe(10);
    expect(await testOne(claim)).toMatchObject({ allowed: false, remaining: 0 });
  });

  it.each(STRATEGY_NAMES)(
    "admits exactly the amount by %s, to ten processes that all start cold",
    async (strategy) => {
      const claim = newClaim({ strategy, amount: 10 });
      const storages = await Promise.all(Array.from({ length: 10 }, openOne));
      const hits = storages.flatMap((one) =>
        Array.from({ length: 10 }, () => one.hit([claim], ALL_OR_NOTHING)),
      );
      expect(admitted(await Promise.all(hits))).toBe(10);
    },
  );

  it.each(STRATEGY_NAMES)("counts down, refuses, says when, and keeps its word by %s", async (strategy) => {
    const claim = newClaim({ strategy, amount: 3 });
    for (const remaining of [2, 1, 0]) {
      expect(await hitOne(claim)).toMatchObject({ allowed: true, remaining, retryAfterMs: 0 });
    }
    const refused = await hitOne(claim);
    expect(refused).toMatchObject({ allowed: false, remaining: 0 });
    expect(refused.retryAfterMs).toBeGreaterThan(0);
    expect(refused.retryAfterMs).toBeLessThanOrEqual(2 * 3_600_000);
    clock.advance(refused.retryAfterMs - 1);
    expect(await hitOne(claim)).toMatchObject({ allowed: false, retryAfterMs: 1 });
    clock.advance(1);
    expect(await hitOne(claim)).toMatchObject({ allowed: true });
  });

  it.each(STRATEGY_NAMES)("takes a charge back by %s, once it is refused too", async (strategy) => {
    const claim = newClaim({ strategy, amount: 2 });
    await hitOne(claim);
    const charge = await hitOne(claim);
    expect(await hitOne(claim)).toMatchObject({ allowed: false });
    await storage.refund([{ claim, receipt: charge }]);
    expect(await testOne(claim)).toMatchObject({ allowed: true, remaining: 1 });
    expect(await hitOne(claim)).toMatchObject({ allowed: true, remaining: 0 });
    expect(await hitOne(claim)).toMatchObject({ allowed: false });
  });

  it.each(STRATEGY_NAMES)(
    "gives a client that spent since an eviction nothing for an old charge by %s",
    async (strategy) => {
      const claim = newClaim({ strategy, amount: 2 });
      const forgotten = await hitOne(claim);
      await ask(server.port, "flush_all\r\n");
      const before = await itemsEverStored();
      await storage.refund([{ claim, receipt: forgotten }]);
      expect(await itemsEverStored()).toBe(before);
      await hitOne(claim);
      await hitOne(claim);
      await storage.refund([{ claim, receipt: forgotten }]);
      expect(await hitOne(claim)).toMatchObject({ allowed: false });
    },
  );

  it("takes nothing from the next window for a charge of the last one", async () => {
    const claim = newClaim({ amount: 2 });
    const charge = await hitOne(claim);
    clock.advance(3_600_000);
    await hitOne(claim);
    await storage.refund([{ claim, receipt: charge }]);
    expect(await testOne(claim)).toMatchObject({ remaining: 1 });
  });

  it("weighs the previous window by what is left of it", async () => {
    const claim = newClaim({ strategy: "sliding-window-counter", amount: 100, cost: 100 });
    const { resetAfterMs } = await hitOne(claim);
    expect(resetAfterMs).toBeGreaterThan(0);
    const one = { ...claim, cost: 1 };
    const refused = await hitOne(one);
    clock.advance(refused.retryAfterMs + 1_799_999 - 36_000);
    const half = await testOne(one);
    expect(half.remaining).toBeGreaterThanOrEqual(48);
    expect(half.remaining).toBeLessThanOrEqual(51);
  });

  it("charges all limits or none", async () => {
    const [narrow, wide] = [newClaim({ amount: 2 }), newClaim({ amount: 10, strategy: "token-bucket" })];
    await hit(narrow, wide);
    await hit(wide, narrow);
    const refused = await hit(narrow, wide);
    expect(refused).toMatchObject([
      { allowed: false, remaining: 0 },
      { allowed: true, remaining: 8 },
    ]);
    expect(await storage.test([narrow, wide])).toMatchObject([{ remaining: 0 }, { remaining: 8 }]);
    expect(await hit(wide, newClaim({ amount: 3, cost: 4 }))).toMatchObject([
      { allowed: true, remaining: 8 },
      { allowed: false, remaining: 3, retryAfterMs: Number.POSITIVE_INFINITY },
    ]);
    expect(await testOne(wide)).toMatchObject({ remaining: 8 });
  });

  it("admits the least amount of several limits to many at once, and charges no more", async () => {
    const claims = [5, 20, 8].map((amount) => newClaim({ amount }));
    const storages = [storage, await openOne()];
    const hits = storages.flatMap((one) => Array.from({ length: 20 }, () => one.hit(claims, ALL_OR_NOTHING)));
    const count = admitted(await Promise.all(hits));
    expect(count).toBeLessThanOrEqual(5);
    expect(count).toBeGreaterThan(0);
    const left = await storage.test(claims);
    expect(left.map(({ remaining }) => remaining)).toEqual([5 - count, 20 - count, 8 - count]);
  });

  it("charges every limit that has room in mode each", async () => {
    const [narrow, wide] = [newClaim({ amount: 1 }), newClaim({ amount: 10 })];
    for (const remaining of [9, 8, 7]) {
      const verdicts = await storage.hit([narrow, wide], { mode: "each" });
      expect(verdicts).toMatchObject([{ allowed: remaining === 9 }, { allowed: true, remaining }]);
    }
  });

  it("charges meta claims when a limit refuses, and refuses everything once one is full", async () => {
    const limit = newClaim({ amount: 1 });
    const other = newClaim({ amount: 5, key: "ada-other" });
    const breaches = newClaim({ amount: 2, key: "ada-breaches", role: "meta", parent: limit });
    const block: Claim = {
      policy: BLOCK_POLICY,
      key: "test:{ada}:block",
      cost: 5000,
      role: "meta",
      parent: other,
    };
    const list = [breaches, block, limit, other];
    expect(await hit(...list)).toMatchObject([
      { remaining: 2 },
      { allowed: true },
      { remaining: 0 },
      { remaining: 4 },
    ]);
    expect(await hit(...list)).toMatchObject([
      { remaining: 1 },
      { allowed: true },
      { allowed: false },
      { remaining: 4 },
    ]);
    expect(await hit(...list)).toMatchObject([
      { allowed: true, remaining: 0 },
      {},
      { allowed: false },
      { remaining: 4 },
    ]);
    expect(await hit(...list)).toMatchObject([{ allowed: false }, {}, { allowed: false }, { remaining: 4 }]);
    const blocking = newClaim({ amount: 0, key: "bob" });
    expect(await hit({ ...block, parent: blocking }, blocking)).toMatchObject([
      { allowed: true, retryAfterMs: 5000 },
      { allowed: false },
    ]);
    clock.advance(4999);
    expect(await testOne(block)).toMatchObject({ allowed: false, retryAfterMs: 1 });
    clock.advance(1);
    expect(await testOne(block)).toMatchObject({ allowed: true });
  });

  it.each(STRATEGY_NAMES)("looks without a trace by %s", async (strategy) => {
    const claim = newClaim({ strategy });
    const before = await itemsEverStored();
    await testOne(claim);
    await hitOne({ ...claim, cost: 0 });
    await hitOne({ ...claim, cost: 4 });
    expect(await itemsEverStored()).toBe(before);
  });

  it.each(STRATEGY_NAMES)("forgets a client's limits by %s", async (strategy) => {
    const claim = newClaim({ strategy, amount: 1 });
    await hitOne(claim);
    await storage.clear([claim]);
    expect(await hitOne(claim)).toMatchObject({ allowed: true });
  });

  it.each([
    ["500 ms", newClaim({ amount: 2, multiples: 500, unit: "millisecond" }), 500],
    ["31 days", newClaim({ amount: 2, multiples: 31, unit: "day" }), 31 * 86_400_000],
    ["3 years", newClaim({ amount: 2, multiples: 3, unit: "year" }), 3 * 365 * 86_400_000],
  ])("counts windows of %s", async (_, claim, windowMs) => {
    await hitOne(claim);
    await hitOne(claim);
    const refused = await hitOne(claim);
    expect(refused.allowed).toBe(false);
    expect(refused.retryAfterMs).toBeLessThanOrEqual(windowMs);
    clock.advance(refused.retryAfterMs);
    expect(await hitOne(claim)).toMatchObject({ allowed: true, remaining: 1, resetAfterMs: windowMs });
  });

  it.each([
    "\r\nflush_all\r\n",
    "a b",
    "\n",
    "x".repeat(10_240),
    "\u0000\u007f\u00e9\u{1f600}",
    "{}#1",
    "noreply",
    "$&",
    "$'",
    "$`$$",
  ])("keeps a client apart whose key is %j", async (key) => {
    const marker = newClaim({ key: "somebody", amount: 1 });
    await hitOne(marker);
    const [claim, like] = [newClaim({ key, amount: 1 }), newClaim({ key: `${key} `, amount: 1 })];
    expect(await hitOne(claim)).toMatchObject({ allowed: true });
    expect(await hitOne(claim)).toMatchObject({ allowed: false });
    expect(await hitOne(like)).toMatchObject({ allowed: true });
    expect(await testOne(marker)).toMatchObject({ allowed: false });
  });

  it.each(["token-bucket", "moving-window"] as const)(
    "decides a history of %s as the memory does",
    async (strategy) => {
      const memory = new MemoryStorage({ clock });
      const claims = ["ada", "bob"].map((key) => newClaim({ key, strategy, amount: 7, unit: "minute" }));
      const charges: { claim: Claim; receipt: Verdict; twin: Verdict }[] = [];
      let seed = 42;
      const random = (below: number) => {
        seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
        return Math.floor((seed / 2 ** 31) * below);
      };
      for (let step = 0; step < 150; step++) {
        clock.advance(random(8000));
        const claim = { ...claims[random(2)]!, cost: random(4) };
        const charge = random(4) === 0 ? charges.splice(random(charges.length), 1)[0] : undefined;
        if (charge !== undefined) {
          await storage.refund([{ claim: charge.claim, receipt: charge.receipt }]);
          memory.refund([{ claim: charge.claim, receipt: charge.twin }]);
        }
        const [mine, twin] = [await hitOne(claim), memory.hit([claim], ALL_OR_NOTHING)[0]!];
        const { allowed, remaining, resetAfterMs, retryAfterMs } = twin;
        expect(mine, `step ${step}`).toMatchObject({ allowed, remaining, resetAfterMs, retryAfterMs });
        if (allowed && claim.cost > 0) charges.push({ claim, receipt: mine, twin });
      }
    },
  );

  it("is there, and has no way to forget everything", async () => {
    expect(await storage.check()).toBe(true);
    expect(() => storage.reset()).toThrow(/cannot list its keys/);
  });
});
