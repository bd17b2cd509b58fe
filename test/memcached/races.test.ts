import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { StorageError } from "../../src/core/errors.js";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import { MemcachedStorage } from "../../src/memcached/index.js";
import { newClaim } from "./claims.js";
import { FakeClient } from "./fake-client.js";

const COUNT_DIGITS = 9;

describe("MemcachedStorage, when commands cross", () => {
  let client: FakeClient;
  let storage: MemcachedStorage;
  beforeEach(() => {
    client = new FakeClient();
    storage = new MemcachedStorage(client, { commandTimeoutMs: 50 });
  });

  const hit = (amount: number, cost = 1) => storage.hit([newClaim({ amount, cost })], ALL_OR_NOTHING);
  const counts = () => [...client.items.values()].map(({ text }) => Number(text.slice(-COUNT_DIGITS)));
  const onlyKey = () => [...client.items.keys()][0]!;

  it("gives a late charge back after it was made, and not before", async () => {
    await hit(5);
    let release = () => {};
    client.before = (command) => {
      if (command !== "incr") return;
      return new Promise<void>((go) => {
        release = go;
      });
    };
    client.log.length = 0;
    await expect(hit(5)).rejects.toBeInstanceOf(StorageError);
    expect(client.log).toEqual([]);
    expect(counts()).toEqual([1]);
    release();
    await expect.poll(() => client.log).toEqual(["incr", "gets", "gets", "cas"]);
    expect(counts()).toEqual([1]);
  });

  describe.each(STRATEGY_NAMES)("and an answer comes just after its time, by %s", (strategy) => {
    const claims = [1, 2].map((multiples) => newClaim({ amount: 5, multiples, strategy }));
    const left = async () => (await storage.test(claims)).map(({ remaining }) => remaining);

    /** What happens before the last of these commands is executed. */
    const beforeTheLast = (many: number, happens: () => void | Promise<void>) => {
      let missing = many;
      client.before = (command) => {
        if (["incr", "add", "cas"].includes(command) && --missing === 0) return happens();
      };
    };
    const standStill = () => {
      const endsAt = performance.now() + 60;
      while (performance.now() < endsAt);
    };
    const lists = [
      { of: "one limit", many: 1, mode: "all", after: [3, 4] },
      { of: "two limits", many: 2, mode: "all", after: [3, 3] },
      { of: "two limits", many: 2, mode: "each", after: [3, 3] },
    ] as const;

    it.each(lists)("does not admit what it gives back of $of, mode $mode", async ({ many, mode }) => {
      await storage.hit(claims, ALL_OR_NOTHING);
      beforeTheLast(many, () => sleep(75));
      const hit = storage.hit(claims.slice(0, many), { mode });
      await expect(hit).rejects.toBeInstanceOf(StorageError);
      client.before = () => {};
      await expect.poll(left).toEqual([4, 4]);
    });

    it.each(lists)(
      "admits what nobody was told is late, of $of, mode $mode",
      async ({ many, mode, after }) => {
        await storage.hit(claims, ALL_OR_NOTHING);
        beforeTheLast(many, standStill);
        const verdicts = await storage.hit(claims.slice(0, many), { mode });
        expect(verdicts.map(({ allowed }) => allowed)).toEqual(new Array(many).fill(true));
        client.before = () => {};
        expect(await left()).toEqual(after);
      },
    );
  });

  it("leaves a charge whose fate nobody knows", async () => {
    await hit(5);
    client.before = () => {
      throw new Error("connection lost");
    };
    await expect(hit(5)).rejects.toMatchObject({ code: "STORAGE", cause: { message: "connection lost" } });
    client.before = () => {};
    expect(await hit(5)).toMatchObject([{ remaining: 3 }]);
  });

  it("counts on the counter of the one who added it first", async () => {
    client.before = (command) => {
      if (command === "add") client.put(missing, "4000000000000002");
    };
    let missing = "";
    const incr = client.incr.bind(client);
    client.incr = (key, amount, callback) => {
      missing = key;
      incr(key, amount, callback);
    };
    expect(await hit(5)).toMatchObject([{ allowed: true, remaining: 2 }]);
    expect(client.log).toEqual(["incr", "add", "incr"]);
  });

  it("takes nothing from a counter that was made anew before a refusal was given back", async () => {
    await hit(1);
    client.before = (command) => {
      if (command !== "gets") return;
      client.before = () => {};
      client.put(onlyKey(), "8999999000000001");
    };
    expect(await hit(1)).toMatchObject([{ allowed: false }]);
    expect(counts()).toEqual([1]);
  });

  it("makes no counter for a refusal that is given back after an eviction", async () => {
    await hit(1);
    client.before = (command) => {
      if (command === "gets") client.items.clear();
    };
    expect(await hit(1)).toMatchObject([{ allowed: false }]);
    expect(client.items.size).toBe(0);
  });

  it("gives back nothing that another counts while it reads", async () => {
    await hit(1);
    const gets = client.gets.bind(client);
    client.gets = (key, callback) => {
      client.gets = gets;
      const { text } = client.items.get(key)!;
      client.put(key, String(Number(text) + 1));
      // As Memcached answers who reads an item that is being replaced by an increment.
      callback(undefined, { [key]: text, cas: String(client.items.get(key)!.cas) });
    };
    expect(await hit(1)).toMatchObject([{ allowed: false }]);
    await expect.poll(() => client.log.at(-1)).toBe("cas");
    expect(counts()).toEqual([2]);
  });

  it("gives back although others write in between", async () => {
    await hit(1);
    let rivals = 5;
    client.before = (command) => {
      const key = onlyKey();
      if (command === "cas" && rivals-- > 0) client.put(key, client.items.get(key)!.text);
    };
    expect(await hit(1)).toMatchObject([{ allowed: false }]);
    expect(counts()).toEqual([1]);
    expect(client.log.filter((command) => command === "cas")).toHaveLength(6);
  });

  it("answers a refusal in time although giving back takes longer", async () => {
    await hit(1);
    client.before = (command) => (command === "gets" ? new Promise<void>(() => {}) : undefined);
    expect(await hit(1)).toMatchObject([{ allowed: false }]);
  });

  it.each(["hangs", "fails"])("answers what was charged, mode each, although giving back %s", async (how) => {
    const [wide, full] = [newClaim({ amount: 5 }), newClaim({ amount: 1, multiples: 2 })];
    await storage.hit([full], ALL_OR_NOTHING);
    client.before = (command) => {
      if (command !== "gets") return;
      if (how === "fails") throw new Error("gone");
      return new Promise<void>(() => {});
    };
    expect(await storage.hit([wide, full], { mode: "each" })).toMatchObject([
      { allowed: true, remaining: 4 },
      { allowed: false, remaining: 0 },
    ]);
    client.before = () => {};
    expect(await storage.test([wide])).toMatchObject([{ remaining: 4 }]);
  });

  it("admits once although thousands ask for the whole amount before anything is given back", async () => {
    const whole = newClaim({ amount: 999_999, cost: 999_999 });
    const ask = () => storage.hit([whole], { mode: "all", timeoutMs: 10_000 });
    const hits = await Promise.all(Array.from({ length: 3000 }, ask));
    expect(hits.filter(([verdict]) => verdict?.allowed)).toHaveLength(1);
    expect(counts()).toEqual([999_999]);
  });

  it("decides a state anew when another process wrote it first", async () => {
    const claim = newClaim({ strategy: "moving-window", amount: 2 });
    const other = new MemcachedStorage(client);
    let rivals = 1;
    client.before = async (command) => {
      if (command === "add" && rivals-- > 0) await other.hit([claim], ALL_OR_NOTHING);
    };
    expect(await storage.hit([claim], ALL_OR_NOTHING)).toMatchObject([{ allowed: true, remaining: 0 }]);
    expect(await storage.hit([claim], ALL_OR_NOTHING)).toMatchObject([{ allowed: false }]);
  });

  it("voids a sliding charge that arrives after its window", async () => {
    let now = Date.UTC(2026, 6, 1);
    storage = new MemcachedStorage(client, { clock: { now: () => now } });
    const claim = newClaim({ strategy: "sliding-window-counter", amount: 5 });
    let delays = 1;
    client.before = (command) => {
      if (command === "incr" && delays-- > 0) now += 3_600_000;
    };
    expect(await storage.hit([claim], ALL_OR_NOTHING)).toMatchObject([{ allowed: true, remaining: 4 }]);
    expect(counts()).toEqual([0, 1]);
  });

  it("gives back what one server charged when another fails", async () => {
    const [narrow, wide] = [newClaim({ amount: 3 }), newClaim({ amount: 9 })];
    await storage.hit([narrow, wide], ALL_OR_NOTHING);
    let commands = 0;
    client.before = (command) => {
      if (command === "incr" && ++commands === 2) throw new Error("gone");
    };
    await expect(storage.hit([narrow, wide], ALL_OR_NOTHING)).rejects.toBeInstanceOf(StorageError);
    await expect.poll(counts).toEqual([1, 1]);
  });
});
