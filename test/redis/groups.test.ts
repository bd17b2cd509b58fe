import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { beforeEach, describe, expect, test } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING, type Claim } from "../../src/core/storage.js";
import type { Policy } from "../../src/core/strategy.js";
import { storedKey } from "../../src/redis/groups.js";
import type { RedisStorage } from "../../src/redis/redis-storage.js";
import { startRedis } from "../helpers/servers.js";
import { blockClaim, claim, placed, policy } from "./claims.js";
import { callsOf, forAllTests, openClient, openStorage } from "./connections.js";

const redis = forAllTests(startRedis);
let client: Redis;

beforeEach(async () => {
  client = openClient((await redis()).port);
  await client.flushall();
});

/** The strategies whose limits share a value. */
const PACKED = STRATEGY_NAMES.filter((name) => name !== "moving-window");

/** Three limits of one client and counter. */
const THREE: readonly Policy[] = [
  policy("fixed-window", 5, 1, "second"),
  policy("sliding-window-counter", 8, 1, "minute"),
  policy("token-bucket", 9, 1, "hour"),
];

/** A storage on a clock that is turned by hand. */
function onHandClock(): { storage: RedisStorage; clock: { at: number } } {
  const clock = { at: 1_000_000, now: () => clock.at };
  return { storage: openStorage(client, { clock, denyCacheMs: 0 }), clock };
}

const remainingOf = async (storage: RedisStorage, claims: readonly Claim[]): Promise<number[]> =>
  (await storage.test(claims)).map(({ remaining }) => remaining);

describe("limits of one client and counter", () => {
  test("lie in one value, logs at keys of their own", async () => {
    const storage = openStorage(client);
    const of = [...THREE, policy("moving-window", 5)];
    const claims = of.map((one) => placed(one, "ann"));
    await storage.hit(claims, ALL_OR_NOTHING);
    expect((await client.keys("*")).sort()).toEqual([`test:{ann}:/x:`, `test:{ann}:/x:${of[3]?.id}`].sort());
    await storage.hit([placed(policy("fixed-window", 5), "ann", "/y")], ALL_OR_NOTHING);
    expect(await client.dbsize()).toBe(3);
  });

  test("are the same counters for every call: alone, together, by place or by key", async () => {
    const storage = openStorage(client);
    const all = THREE.map((of) => placed(of, "ann"));
    const byText = all.map((one) => claim(one.policy, { key: one.key }));
    const [first, second, third] = all as [Claim, Claim, Claim];
    await storage.hit(all, ALL_OR_NOTHING);
    await storage.hit([second], ALL_OR_NOTHING);
    await storage.hit([third, first], ALL_OR_NOTHING);
    await storage.hit([byText[2] as Claim], ALL_OR_NOTHING);
    await storage.hit([byText[1] as Claim], { mode: "each" });
    const [charge] = await storage.hit([first], ALL_OR_NOTHING);
    expect(await remainingOf(storage, all)).toEqual([2, 5, 6]);
    if (charge !== undefined) await storage.refund([{ claim: byText[0] as Claim, receipt: charge }]);
    expect(await remainingOf(storage, byText)).toEqual([3, 5, 6]);
    await storage.clear([byText[1] as Claim]);
    expect(await remainingOf(storage, all)).toEqual([3, 8, 6]);
  });

  test("of several counters and clients are decided together", async () => {
    const storage = openStorage(client, { denyCacheMs: 0 });
    const of = policy("fixed-window", 2);
    const hour = policy("fixed-window", 3, 1, "hour");
    const list = [placed(of, "ann"), placed(of, "ann", "/y"), placed(hour, "ann"), placed(of, "bob")];
    const answers = await Promise.all([1, 2, 3].map(() => storage.hit(list, ALL_OR_NOTHING)));
    expect(answers.map((verdicts) => verdicts.map(({ allowed }) => allowed))).toEqual([
      [true, true, true, true],
      [true, true, true, true],
      [false, false, true, false],
    ]);
    expect(await remainingOf(storage, list)).toEqual([0, 0, 1, 0]);
  });

  test("refused, cost nothing and write nothing", async () => {
    const storage = openStorage(client, { denyCacheMs: 0 });
    const list = [placed(policy("fixed-window", 1), "ann"), ...THREE.map((of) => placed(of, "ann"))];
    await storage.hit(list, ALL_OR_NOTHING);
    const before = await client.getBuffer("test:{ann}:/x:");
    await storage.hit(list, ALL_OR_NOTHING);
    expect(await client.getBuffer("test:{ann}:/x:")).toEqual(before);
  });

  test("a window that a refused hit would have opened opens with the next one", async () => {
    const { storage, clock } = onHandClock();
    const short = claim(policy("fixed-window", 5, 1, "second"), { who: "ann" });
    const sliding = claim(policy("sliding-window-counter", 5, 1, "second"), { who: "ann" });
    const full = claim(policy("fixed-window", 1, 1, "hour"), { who: "ann" });
    const roomy = claim(policy("fixed-window", 100, 1, "hour"), { who: "ann" });
    await storage.hit([short, sliding, full, roomy], ALL_OR_NOTHING);
    clock.at += 5000;
    // The first is refused after it has seen that the short windows are over; the second writes their value.
    await Promise.all([
      storage.hit([short, sliding, full], ALL_OR_NOTHING),
      storage.hit([roomy], ALL_OR_NOTHING),
    ]);
    clock.at += 600;
    const opened = await storage.hit([short, sliding], ALL_OR_NOTHING);
    expect(opened.map(({ resetAfterMs }) => resetAfterMs)).toEqual([1000, 2000]);
    clock.at += 600;
    expect(await remainingOf(storage, [short, sliding])).toEqual([4, 4]);
  });
});

describe("a value", () => {
  const valueBytes = () => client.strlen("test:{ann}:");

  test("does not grow when limits change, and drops those that have ended", async () => {
    const { storage, clock } = onHandClock();
    const kept = claim(policy("fixed-window", 1000, 1, "hour"), { who: "ann" });
    for (let amount = 1; amount <= 300; amount++) {
      const changing = claim(policy("fixed-window", amount, 1, "second"), { who: "ann" });
      await storage.hit([kept, changing], ALL_OR_NOTHING);
      clock.at += 1000;
      expect(await valueBytes()).toBe(10 + 2 * 30);
    }
    expect(await remainingOf(storage, [kept])).toEqual([700]);
  });

  test.each(PACKED)("holds as many limits as there are at a time, %s", async (strategy) => {
    const storage = openStorage(client);
    const claims = Array.from({ length: 200 }, (_, i) =>
      claim(policy(strategy, 10 + i, 1, "hour"), { who: "ann" }),
    );
    for (const one of claims) await storage.hit([one], ALL_OR_NOTHING);
    await storage.hit(claims, ALL_OR_NOTHING);
    expect(await remainingOf(storage, claims)).toEqual(claims.map((_, i) => 8 + i));
    expect(await client.dbsize()).toBe(1);
  });

  test("that would hold too many limits at a time is an error, and the others stay as they are", async () => {
    const storage = openStorage(client);
    const hit = async (from: number, to: number) => {
      const claims = Array.from({ length: to - from }, (_, i) =>
        claim(policy("fixed-window", from + i, 1, "hour"), { who: "ann" }),
      );
      await storage.hit(claims, ALL_OR_NOTHING);
    };
    await hit(1, 501);
    await hit(501, 1001);
    await expect(hit(1001, 1002)).rejects.toThrow("too many limits");
    const log = claim(policy("moving-window", 5), { who: "ann" });
    const oneMore = claim(policy("fixed-window", 1001, 1, "hour"), { who: "ann" });
    await expect(storage.hit([log, oneMore], { mode: "each" })).rejects.toThrow("too many limits");
    expect(await remainingOf(storage, [log])).toEqual([5]);
    const stored = [1, 500, 1000].map((n) => claim(policy("fixed-window", n, 1, "hour"), { who: "ann" }));
    expect(await remainingOf(storage, stored)).toEqual([0, 499, 999]);
    const ofOthers = ["bob", "eve"].map((who) => claim(policy("fixed-window", 5), { who }));
    const together = [ofOthers[0], oneMore, ofOthers[1]].map((one) =>
      storage.hit([one as Claim], ALL_OR_NOTHING),
    );
    const outcomes = await Promise.allSettled(together);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await remainingOf(storage, ofOthers)).toEqual([4, 4]);
  });

  test("that holds nothing any more is deleted", async () => {
    const storage = openStorage(client);
    const claims = THREE.map((of) => claim(of, { who: "ann" }));
    const [first] = claims as [Claim];
    const [receipt] = await storage.hit(claims, ALL_OR_NOTHING);
    if (receipt !== undefined) await storage.refund([{ claim: first, receipt }]);
    expect(await valueBytes()).toBe(10 + 2 * 30);
    await storage.clear(claims);
    expect(await client.dbsize()).toBe(0);
  });

  test.each([
    { what: "another mark", value: Buffer.alloc(40, 7) },
    { what: "half an entry", value: Buffer.concat([Buffer.from("el"), Buffer.alloc(23)]) },
    { what: "nothing but a header", value: Buffer.concat([Buffer.from("el"), Buffer.alloc(8)]) },
  ])("with $what is written anew", async ({ value }) => {
    const storage = openStorage(client, { denyCacheMs: 0 });
    const claims = THREE.map((of) => claim(of, { who: "ann" }));
    await client.set("test:{ann}:", value);
    expect(await remainingOf(storage, claims)).toEqual([5, 8, 9]);
    await storage.hit(claims, ALL_OR_NOTHING);
    expect(await remainingOf(storage, claims)).toEqual([4, 7, 8]);
    expect(await client.pttl("test:{ann}:")).toBeGreaterThan(0);
  });

  test.each([
    { with: "clear", ask: (s: RedisStorage, one: Claim) => s.clear([one]) },
    {
      with: "a hit that is refused",
      ask: (s: RedisStorage, one: Claim) => s.hit([{ ...one, cost: 50 }], ALL_OR_NOTHING),
    },
  ])("of somebody else that has no expiry goes $with", async ({ ask }) => {
    const one = claim(policy("fixed-window", 5), { who: "ann" });
    await client.set("test:{ann}:", "foreign");
    await ask(openStorage(client), one);
    expect(await client.dbsize()).toBe(0);
  });
});

describe("a value's expiry", () => {
  const leftMs = () => client.pttl("test:{ann}:");
  const fixed = (seconds: number) => claim(policy("fixed-window", 100, seconds, "second"), { who: "ann" });

  test("is that of the limit that ends last, in any order", async () => {
    const storage = openStorage(client);
    await storage.hit([fixed(10)], ALL_OR_NOTHING);
    expect(await leftMs()).toBeLessThanOrEqual(10_000);
    await storage.hit([fixed(60)], ALL_OR_NOTHING);
    expect(await leftMs()).toBeGreaterThan(55_000);
    await storage.hit([fixed(20)], ALL_OR_NOTHING);
    expect(await leftMs()).toBeGreaterThan(55_000);
    await storage.hit([blockClaim(300_000, { who: "ann", role: "limit" })], { mode: "each" });
    expect(await leftMs()).toBeGreaterThan(295_000);
    expect(await leftMs()).toBeLessThanOrEqual(600_000);
  });

  test("covers what is stored after a shorter window opened anew", async () => {
    const storage = openStorage(client);
    const short = claim(policy("fixed-window", 100, 1200, "millisecond"), { who: "ann" });
    const long = claim(policy("fixed-window", 100, 1300, "millisecond"), { who: "ann" });
    await storage.hit([short, long], ALL_OR_NOTHING);
    await sleep(1220);
    await storage.hit([short], ALL_OR_NOTHING);
    expect(await leftMs()).toBeGreaterThan(1100);
    await sleep(200);
    expect(await remainingOf(storage, [short, long])).toEqual([99, 100]);
  });

  test.each(PACKED)(
    "is not written with every hit, and is at most twice what is needed, %s",
    async (strategy) => {
      const storage = openStorage(client);
      const one = claim(policy(strategy, 100, 1, "hour"), { who: "ann" });
      await storage.hit([one], ALL_OR_NOTHING);
      await client.config("RESETSTAT");
      for (let i = 0; i < 63; i++) await storage.hit([one], ALL_OR_NOTHING);
      expect(await callsOf(client, "set")).toBeLessThanOrEqual(6);
      expect(await callsOf(client, "setrange")).toBeGreaterThanOrEqual(57);
      const needed = {
        "fixed-window": 3_600_000,
        "sliding-window-counter": 7_200_000,
        "token-bucket": 64 * 36_000,
      };
      expect(await leftMs()).toBeGreaterThan((needed[strategy as keyof typeof needed] ?? 0) - 10_000);
      expect(await leftMs()).toBeLessThanOrEqual(2 * (needed[strategy as keyof typeof needed] ?? 0));
    },
  );

  test("is not written with every hit of a bucket that fills within milliseconds", async () => {
    const storage = openStorage(client);
    const one = claim(policy("token-bucket", 1_000_000, 1, "minute"), { who: "ann" });
    await storage.hit([one], ALL_OR_NOTHING);
    await client.config("RESETSTAT");
    for (let i = 0; i < 20; i++) await storage.hit([one], ALL_OR_NOTHING);
    expect(await callsOf(client, "set")).toBeLessThanOrEqual(1);
    expect(await leftMs()).toBeLessThanOrEqual(1000);
  });

  test("is one that Redis takes, however late a bucket is full: an error would leave a batch half written", async () => {
    const storage = openStorage(client);
    const huge = claim(policy("token-bucket", 1, 1000, "year", 2 ** 53 - 1), { who: "ann", cost: 2 ** 40 });
    await storage.hit([huge], ALL_OR_NOTHING);
    expect(await leftMs()).toBeGreaterThan(2 ** 50);
  });

  test("that was lost comes back in a large batch too, at the latest when it should have been over", async () => {
    const storage = openStorage(client);
    const of = policy("fixed-window", 100, 1, "second");
    const claims = Array.from({ length: 100 }, () => claim(of));
    const hitAll = () => Promise.all(claims.map((one) => storage.hit([one], ALL_OR_NOTHING)));
    await hitAll();
    for (const one of claims) await client.persist(storedKey(one));
    await sleep(1020);
    await hitAll();
    for (const one of claims) expect(await client.pttl(storedKey(one))).not.toBe(-1);
  });
});

test("a counter full of limits that have ended takes others", async () => {
  let now = 1000;
  const storage = openStorage(client, { denyCacheMs: 0, clock: { now: () => now } });
  const list = (seconds: number) =>
    Array.from({ length: 1000 }, (_, i) =>
      claim(policy("fixed-window", 2 + i, seconds, "second"), { who: "ann" }),
    );
  await storage.hit(list(1), ALL_OR_NOTHING);
  now += 1500;
  for (const one of list(3).slice(0, 3)) {
    expect((await storage.hit([one], ALL_OR_NOTHING))[0]?.allowed).toBe(true);
  }
});
