import { beforeEach, describe, expect, it } from "vitest";
import { StorageError } from "../../src/core/errors.js";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import { MemcachedStorage } from "../../src/memcached/index.js";
import { SpareUnits } from "../../src/memcached/spare-units.js";
import { newClaim } from "./claims.js";
import { FakeClient } from "./fake-client.js";

const COUNT_DIGITS = 9;
const FOREVER_MS = 100_000;

describe("a charge that others leave no gap to write off", () => {
  const wide = newClaim({ amount: 100 });
  const full = newClaim({ amount: 1, multiples: 2 });
  let client: FakeClient;
  let storage: MemcachedStorage;
  let others: number;
  let added: number[];
  beforeEach(async () => {
    client = new FakeClient();
    storage = new MemcachedStorage(client, { commandTimeoutMs: 50 });
    await storage.hit([full], ALL_OR_NOTHING);
    others = 0;
    added = [];
    const incr = client.incr.bind(client);
    client.incr = (key, by, callback) => {
      if (key === wideKey()) added.push(by);
      incr(key, by, callback);
    };
  });

  const wideKey = () => [...client.items.keys()].find((key) => key.includes("100/"));
  const textOf = () => client.items.get(wideKey() ?? "")?.text ?? "";
  const count = () => Number(textOf().slice(-COUNT_DIGITS));
  const hit = (cost = 1) => storage.hit([{ ...wide, cost }], ALL_OR_NOTHING);

  /** From here on another counts before each write. */
  const othersCount = () => {
    client.before = (command) => {
      const key = wideKey();
      if (command !== "cas" || key === undefined) return;
      others++;
      client.put(key, String(Number(textOf()) + 1));
    };
  };
  const leaveSpare = async (units: number) => {
    othersCount();
    const refused = [{ ...wide, cost: units }, full];
    expect(await storage.hit(refused, ALL_OR_NOTHING)).toMatchObject([{}, { allowed: false }]);
    added.length = 0;
  };

  it("is the next hit's", async () => {
    await hit();
    await leaveSpare(1);
    expect(count()).toBe(2 + others);
    expect(await hit()).toMatchObject([{ allowed: true, remaining: 98 - others }]);
    expect(added).toEqual([0]);
    expect(count()).toBe(2 + others);
    await hit();
    expect(added).toEqual([0, 1]);
  });

  it("is shared by hits that cost less, and a part of one that costs more", async () => {
    await hit();
    await leaveSpare(5);
    await Promise.all([hit(2), hit(2), hit(4)]);
    expect(added).toEqual([0, 0, 3]);
    expect(count()).toBe(1 + 8 + others);
  });

  it("is written off once there is a gap", async () => {
    await hit();
    await leaveSpare(3);
    client.before = () => {};
    await expect.poll(count).toBe(1 + others);
    expect(await hit()).toMatchObject([{ remaining: 98 - others }]);
    expect(added).toEqual([1]);
  });

  it("is worth nothing when the counter was made anew", async () => {
    await hit();
    await leaveSpare(2);
    client.put(wideKey() ?? "", "8999999000000007");
    expect(await hit(3)).toMatchObject([{ allowed: true, remaining: 90 }]);
    expect(added).toEqual([1, 2]);
    expect(textOf()).toBe("8999999000000010");
  });

  it("is worth nothing when the counter is gone", async () => {
    await hit();
    await leaveSpare(2);
    client.items.delete(wideKey() ?? "");
    expect(await hit(3)).toMatchObject([{ allowed: true, remaining: 97 }]);
    expect(count()).toBe(3);
  });

  it("is whole although the counter is made anew again and again", async () => {
    await hit();
    await leaveSpare(2);
    const marks = ["8999998", "8999997", "8999996"];
    client.before = (command) => {
      const mark = command === "incr" ? marks.shift() : undefined;
      if (mark !== undefined) client.put(wideKey() ?? "", `${mark}000000000`);
    };
    expect(await hit(3)).toMatchObject([{ allowed: true, remaining: 97 }]);
    expect(added).toEqual([1, 2, 1, 2]);
    expect(textOf()).toBe("8999996000000003");
  });

  it("is passed on by a hit that failed", async () => {
    await hit();
    await leaveSpare(2);
    client.before = (command) => {
      if (command === "incr") throw new Error("connection lost");
    };
    await expect(hit(2)).rejects.toBeInstanceOf(StorageError);
    othersCount();
    await hit(2);
    expect(added).toEqual([0, 0]);
    expect(count()).toBe(3 + others);
  });

  it("leaves a refund to be taken, too", async () => {
    const [verdict] = await hit();
    othersCount();
    const refund = storage.refund([{ claim: wide, receipt: verdict! }]);
    await expect.poll(() => others, { interval: 1 }).toBe(3);
    await hit();
    await refund;
    expect(count()).toBe(1 + others);
  });
});

describe("SpareUnits", () => {
  it("gives what is left after the time", async () => {
    const spare = new SpareUnits();
    const offered = spare.offer("k", { mark: 7, units: 3 }, 1);
    expect(spare.take("k", 2)).toEqual({ mark: 7, units: 2 });
    expect(await offered).toBe(1);
    expect(spare.take("k", 1)).toBeUndefined();
    expect(spare.isEmpty).toBe(true);
  });

  it("ends an offer when all of it is taken", async () => {
    const spare = new SpareUnits();
    const offered = Promise.all([1, 2].map((units) => spare.offer("k", { mark: 7, units }, FOREVER_MS)));
    expect(spare.take("k", 9)).toEqual({ mark: 7, units: 3 });
    expect(await offered).toEqual([0, 0]);
    expect(spare.isEmpty).toBe(true);
  });

  it("mixes neither marks nor keys", () => {
    const spare = new SpareUnits();
    void spare.offer("k", { mark: 7, units: 1 }, FOREVER_MS);
    void spare.offer("k", { mark: 8, units: 1 }, FOREVER_MS);
    void spare.offer("l", { mark: 7, units: 1 }, FOREVER_MS);
    expect(spare.take("k", 9)).toEqual({ mark: 7, units: 1 });
    expect(spare.take("k", 9)).toEqual({ mark: 8, units: 1 });
    expect(spare.take("k", 9)).toBeUndefined();
    expect(spare.take("l", 9)).toEqual({ mark: 7, units: 1 });
  });
});
