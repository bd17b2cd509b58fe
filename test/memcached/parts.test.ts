import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigurationError } from "../../src/core/errors.js";
import { createPolicy } from "../../src/core/policy.js";
import { RateLimit } from "../../src/core/rate-limit.js";
import type { Item, Link } from "../../src/memcached/connection/link.js";
import { ShardedLink } from "../../src/memcached/connection/sharded-link.js";
import { CounterText } from "../../src/memcached/counter-text.js";
import { exptime } from "../../src/memcached/exptime.js";
import { MemcachedStorage } from "../../src/memcached/index.js";
import { itemKey } from "../../src/memcached/item-key.js";
import { ProcessTime } from "../../src/memcached/process-time.js";
import { parseServerUri } from "../../src/memcached/server-uri.js";
import { newClaim } from "./claims.js";

describe("parseServerUri", () => {
  it.each([
    ["memcached://localhost", [{ host: "localhost", port: 11211 }]],
    ["memcached://localhost/", [{ host: "localhost", port: 11211 }]],
    [
      "memcached://a:1,b.example:65535",
      [
        { host: "a", port: 1 },
        { host: "b.example", port: 65_535 },
      ],
    ],
    [
      "memcached://[::1]:11212,[::1]",
      [
        { host: "::1", port: 11_212 },
        { host: "::1", port: 11_211 },
      ],
    ],
    ["memcached:///run/memcached%20one.sock", [{ path: "/run/memcached one.sock" }]],
  ])("reads %s", (uri, servers) => {
    expect(parseServerUri(uri)).toEqual(servers);
  });

  it.each([
    "memcached://",
    "memcached://a,",
    "memcached://a:0",
    "memcached://a:65536",
    "memcached://a:b",
    "memcached://a b",
    "memcached://a/0",
    "memcached://a?x=1",
    "memcached://a:1,a:1",
    "memcached:///run/%zz",
    "redis://a",
    "a:11211",
  ])("refuses %s", (uri) => {
    expect(() => parseServerUri(uri)).toThrow(ConfigurationError);
  });

  it("does not repeat what may be a password", () => {
    expect(() => parseServerUri("memcached://user:secret@a")).toThrow(/no user and password/);
    expect(() => parseServerUri("memcached://user:secret@a")).not.toThrow(/secret/);
    expect(() => parseServerUri("memcache://user:secret@a")).not.toThrow(/secret/);
  });
});

describe("MemcachedStorage, when it is built", () => {
  it.each([
    ["another scheme", () => new MemcachedStorage("redis://a"), /memcached:\/\/host:port/],
    ["something else", () => Reflect.construct(MemcachedStorage, [42]), /a URI or a client/],
    [
      "a client that lacks methods",
      () => Reflect.construct(MemcachedStorage, [{ incr() {} }]),
      /lacks add, gets/,
    ],
    [
      "a wrong time",
      () => new MemcachedStorage("memcached://a", { commandTimeoutMs: 0 }),
      /commandTimeoutMs/,
    ],
    [
      "an unknown option",
      () => Reflect.construct(MemcachedStorage, ["memcached://a", { timeout: 1 }]),
      /Unknown option "timeout".*commandTimeoutMs/,
    ],
  ])("refuses %s", (_, build, message) => {
    expect(build).toThrow(ConfigurationError);
    expect(build).toThrow(message);
  });

  it("says which limits it cannot count", () => {
    const storage = new MemcachedStorage("memcached://a");
    const check = (amount: number, strategy: "fixed-window" | "moving-window" | "token-bucket") => () =>
      storage.checkPolicy(createPolicy(new RateLimit(amount, 1, "day"), strategy));
    expect(check(1000, "moving-window")).not.toThrow();
    expect(check(1001, "moving-window")).toThrow(/up to 1000 units/);
    expect(check(1e10, "fixed-window")).not.toThrow();
    expect(check(1e10 + 1, "fixed-window")).toThrow(ConfigurationError);
    expect(check(1e12, "token-bucket")).not.toThrow();
  });
});

describe("CounterText", () => {
  it.each([0, 1, 10, 999_999, 1e6, 123_456_789, 1e10])(
    "keeps sixteen digits and the count up to %d",
    (amount) => {
      const text = new CounterText(createPolicy(new RateLimit(amount, 1, "day"), "fixed-window"));
      fc.assert(
        fc.property(
          fc.integer({ min: 0, max: Math.min(Number.MAX_SAFE_INTEGER, amount * 9_999) }),
          (count) => {
            const first = text.first(count);
            const counter = text.read(first);
            expect(first).toMatch(/^[1-9]\d{15}$/);
            expect(counter.count).toBe(count);
            expect(text.write({ ...counter, count: 0 })).toMatch(/^[1-9]\d{15}$/);
            expect(text.read(text.write({ ...counter, count: 0 })).mark).toBe(counter.mark);
          },
        ),
      );
    },
  );

  it("marks counters apart", () => {
    const text = new CounterText(createPolicy(new RateLimit(100, 1, "day"), "fixed-window"));
    const marks = new Set(Array.from({ length: 1000 }, () => text.read(text.first(1)).mark));
    expect(marks.size).toBeGreaterThan(990);
  });
});

describe("exptime", () => {
  it.each([
    [0, 1],
    [1, 2],
    [500, 2],
    [60_000, 69],
    [86_400_000, 97_201],
  ])("of %d ms is %d s", (ms, seconds) => {
    expect(exptime(ms)).toBe(seconds);
  });

  it("is an epoch second beyond 30 days, with a day for the difference of clocks", () => {
    const now = Date.now() / 1000;
    expect(exptime(31 * 86_400_000)).toBeGreaterThan(now + 32 * 86_400);
    expect(exptime(31 * 86_400_000)).toBeLessThan(now + 37 * 86_400);
  });

  it("ends where the protocol's numbers end", () => {
    expect(exptime(1000 * 365 * 86_400_000)).toBe(2 ** 31 - 1);
  });
});

describe("itemKey", () => {
  it("leaves what the protocol takes", () => {
    expect(itemKey("p:{a}:shared:x:3/1000/fw")).toBe("p:{a}:shared:x:3/1000/fw");
  });

  it.each(["a b", "a$&b", "a\r\nb", "é", "x".repeat(300), ""])("hashes %j", (key) => {
    expect(itemKey(key)).toMatch(/^#[\da-f]{64}$/);
  });
});

describe("ProcessTime", () => {
  it("follows the clock forwards, never back, and slows down until both agree again", () => {
    let reading = Date.UTC(2026, 6, 1);
    const time = new ProcessTime({ now: () => reading }, 0.1);
    const start = time.now();
    reading += 1000;
    expect(time.now() - start).toBe(1000);
    reading -= 500;
    expect(time.now() - start).toBe(1000);
    reading += 1000;
    expect(time.now() - start).toBe(1900);
    reading += 4000;
    expect(time.now() - start).toBe(5500);
    reading += 1000;
    expect(time.now() - start).toBe(6500);
  });

  it("follows a clock that is turned by hand as it is", () => {
    let reading = 0;
    const time = new ProcessTime({ now: () => reading }, 0);
    const start = time.now();
    reading -= 500;
    expect(time.now()).toBe(start);
    reading += 300;
    expect(time.now()).toBe(start + 300);
  });
});

describe("ShardedLink", () => {
  class NamedLink implements Link {
    readonly name: string;
    constructor(name: string) {
      this.name = name;
    }
    increment() {}
    read = async (): Promise<Item> => ({ text: this.name, cas: undefined });
    readCounter = this.read;
    write = async () => true;
    remove = async () => {};
    check = async () => {};
    close() {}
  }
  const ringOf = (names: string[]) =>
    new ShardedLink(
      names,
      names.map((name) => new NamedLink(name)),
    );
  const homes = async (names: string[], keys: string[]) => {
    const ring = ringOf(names);
    return Promise.all(keys.map(async (key) => (await ring.read(key))?.text));
  };
  const keys = Array.from({ length: 3000 }, (_, i) => newClaim({ key: `10.0.${i >> 8}.${i & 255}` }).key);

  it("shares keys evenly", async () => {
    const names = ["a:1", "b:1", "c:1"];
    const found = await homes(names, keys);
    for (const name of names) {
      const share = found.filter((home) => home === name).length / keys.length;
      expect(share).toBeGreaterThan(0.25);
      expect(share).toBeLessThan(0.42);
    }
  });

  it("moves only the share of a server that is added", async () => {
    const before = await homes(["a:1", "b:1", "c:1"], keys);
    const after = await homes(["c:1", "d:1", "a:1", "b:1"], keys);
    const moved = after.filter((home, i) => home !== before[i]);
    expect(new Set(moved)).toEqual(new Set(["d:1"]));
    expect(moved.length / keys.length).toBeGreaterThan(0.17);
    expect(moved.length / keys.length).toBeLessThan(0.34);
  });

  it("keeps one client's counters on one server", async () => {
    const counters = Array.from({ length: 50 }, (_, i) => `p:{10.0.0.1}:shared:scope-${i}:5/1000/fw#${i}`);
    expect(new Set(await homes(["a:1", "b:1", "c:1"], counters)).size).toBe(1);
  });
});
