import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ClientClaim } from "../../src/core/claim.js";
import { KeyPlace, keyHead } from "../../src/core/key.js";
import { parseLimit } from "../../src/core/parse-limit.js";
import { createPolicy, STRATEGY_NAMES } from "../../src/core/policy.js";
import { RateLimiter } from "../../src/core/rate-limiter.js";
import type { Claim } from "../../src/core/storage.js";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import type { StrategyName } from "../../src/core/strategy.js";
import { Fingerprint } from "../../src/memory/fingerprint.js";
import { MemoryStorage } from "../../src/memory/index.js";
import { Segment } from "../../src/memory/segment.js";
import { SlotTable } from "../../src/memory/slot-table.js";
import { ManualClock } from "../../src/testing/index.js";

const MOST_SLOTS = 4096;

function claimOf(limit: string, who: string, strategy: StrategyName = "fixed-window"): Claim {
  const policy = createPolicy(parseLimit(limit), strategy);
  return { policy, key: `test:{${who}}:${policy.id}`, cost: 1, role: "limit" };
}

function storageWithTable(maxKeys = 1_000_000) {
  const clock = new ManualClock();
  const table = new SlotTable();
  return { clock, table, storage: new MemoryStorage({ clock, maxKeys }, table) };
}

describe("the table's work for one hit", () => {
  it("moves at most one segment's slots while 300,000 keys arrive, expire and arrive again", () => {
    const { clock, table, storage } = storageWithTable();
    const { policy } = claimOf("5 per minute", "");
    let most = 0;
    for (let i = 0; i < 300_000; i++) {
      if (i === 150_000) clock.advance(60_000);
      const before = table.moved;
      storage.hit([{ policy, key: `test:{${i}}:${policy.id}`, cost: 1, role: "limit" }], ALL_OR_NOTHING);
      most = Math.max(most, table.moved - before);
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(MOST_SLOTS);
  });

  it("moves each counter about three times on its way to 200,000", () => {
    const { table, storage } = storageWithTable();
    for (let i = 0; i < 200_000; i++) storage.hit([claimOf("5 per minute", `client-${i}`)], ALL_OR_NOTHING);
    expect(table.moved / 200_000).toBeLessThan(4);
  });

  it("moves one segment's slots at most when the table is full and fresh keys go on coming", () => {
    const { table, storage } = storageWithTable(20_000);
    let most = 0;
    for (let i = 0; i < 100_000; i++) {
      const before = table.moved;
      storage.hit([claimOf("5 per minute", `client-${i}`)], ALL_OR_NOTHING);
      most = Math.max(most, table.moved - before);
    }
    expect(most).toBeLessThanOrEqual(MOST_SLOTS);
    expect(table.moved / 100_000).toBeLessThan(10);
  });
});

describe("a hit on several limits", () => {
  /** Tells how often it was asked. */
  class CountedFingerprint extends Fingerprint {
    hashes = 0;

    override hash(text: string): void {
      this.hashes++;
      super.hash(text);
    }
  }

  afterEach(() => void vi.restoreAllMocks());

  it("hashes the client once, and looks for each counter once", async () => {
    const fingerprint = new CountedFingerprint();
    const table = new SlotTable({ mostSlots: MOST_SLOTS, slotStep: 64, mostDepth: 16, fingerprint });
    const limiter = new RateLimiter({ storage: new MemoryStorage({}, table) });
    const hit = (who: string) => limiter.hit("9 per second; 9 per minute; 9 per hour", who);
    for (const who of ["ann", "bob"]) hit(who);
    const find = vi.spyOn(Segment.prototype, "find");
    fingerprint.hashes = 0;
    hit("ann");
    expect(fingerprint.hashes).toBe(1);
    expect(find).toHaveBeenCalledTimes(3);
    hit("ann");
    expect(fingerprint.hashes).toBe(1);
  });

  it("asks a place's record, also when two storages take turns", () => {
    const storages = [storageWithTable().storage, storageWithTable().storage];
    const place = new KeyPlace(keyHead("app"), "counter", "5/60000/fw");
    const { policy } = claimOf("5 per minute", "");
    for (let i = 0; i < 3; i++) {
      for (const storage of storages) {
        const claim = new ClientClaim(policy, place, "ann", "", 1);
        expect(storage.hit([claim], ALL_OR_NOTHING)[0]?.remaining).toBe(4 - i);
      }
    }
  });

  it("counts new keys that meet in one segment while it is laid out anew or room is made", () => {
    const clock = new ManualClock();
    const table = new SlotTable({ mostSlots: 16, slotStep: 8, mostDepth: 8 });
    const storage = new MemoryStorage({ clock, maxKeys: 50 }, table);
    const limits = ["5 per second", "6 per minute", "7 per hour", "8 per day"];
    for (let i = 0; i < 500; i++) {
      const verdicts = storage.hit(
        limits.map((limit) => claimOf(limit, `${i}`)),
        ALL_OR_NOTHING,
      );
      expect(verdicts.map(({ remaining }) => remaining)).toEqual([4, 5, 6, 7]);
    }
    expect(storage.size).toBe(50);
  });
});

describe("the table's bytes", () => {
  it("are at most 48 for each key of a fixed window, at any size from 20,000 keys on", () => {
    const { storage } = storageWithTable();
    const { policy } = claimOf("5 per minute", "");
    let most = 0;
    for (let i = 1; i <= 300_000; i++) {
      storage.hit([{ policy, key: `test:{${i}}:${policy.id}`, cost: 1, role: "limit" }], ALL_OR_NOTHING);
      if (i >= 20_000 && i % 1000 === 0) most = Math.max(most, storage.bytes / i);
    }
    expect(storage.size).toBe(300_000);
    expect(most).toBeLessThanOrEqual(48);
  });

  it.each(STRATEGY_NAMES)("are at most 48 for each key that was hit once: %s", (strategy) => {
    const { storage } = storageWithTable();
    for (let i = 0; i < 30_000; i++) storage.hit([claimOf("5 per minute", `${i}`, strategy)], ALL_OR_NOTHING);
    expect(storage.bytes / storage.size).toBeLessThanOrEqual(48);
  });

  it("are a few thousand for a few keys", () => {
    const { storage } = storageWithTable();
    for (let i = 0; i < 10; i++) storage.hit([claimOf("5 per minute", `${i}`)], ALL_OR_NOTHING);
    expect(storage.bytes).toBeLessThan(4000);
  });

  it.each(STRATEGY_NAMES)("do not grow while full counters come, go and come again: %s", (strategy) => {
    const { clock, storage } = storageWithTable();
    const round = () => {
      for (let i = 0; i < 3000; i++) {
        for (const cost of [1, 2]) {
          clock.advance(0.001);
          storage.hit([{ ...claimOf("5 per minute", `${i}`, strategy), cost }], ALL_OR_NOTHING);
        }
      }
      clock.advance(120_000);
    };
    round();
    round();
    const { bytes } = storage;
    for (let i = 0; i < 10; i++) round();
    expect(storage.bytes).toBeLessThanOrEqual(bytes * 1.1);
  });
});

describe("a sweep", () => {
  afterEach(() => void vi.restoreAllMocks());

  it("passes what cannot have expired without looking", () => {
    const { clock, storage } = storageWithTable();
    for (let i = 0; i < 50_000; i++) storage.hit([claimOf("5 per minute", `${i}`)], ALL_OR_NOTHING);
    clock.advance(59_000);
    const isHeld = vi.spyOn(Segment.prototype, "isHeld");
    for (let i = 0; i < 20_000; i++) storage.hit([claimOf("1 per hour", `late-${i}`)], ALL_OR_NOTHING);
    const looks = isHeld.mock.calls.length;
    isHeld.mockClear();
    clock.advance(1000);
    for (let i = 0; i < 20_000; i++) storage.hit([claimOf("1 per hour", `later-${i}`)], ALL_OR_NOTHING);
    // Splits look at all counters of a segment, too: with nothing else to do they are all there is.
    expect(isHeld.mock.calls.length).toBeGreaterThan(looks + 4 * 10_000);
  });

  it.each(STRATEGY_NAMES)("drops what has expired beside what has not: %s", (strategy) => {
    const { clock, storage } = storageWithTable();
    const hit = (limit: string, who: string) => storage.hit([claimOf(limit, who, strategy)], ALL_OR_NOTHING);
    for (let i = 0; i < 20_000; i++) hit("5 per day", `long-${i}`);
    for (let i = 0; i < 20_000; i++) hit("5 per second", `short-${i}`);
    clock.advance(2000);
    for (let i = 0; i < 20_000; i++) hit("5 per day", `new-${i}`);
    expect(storage.size).toBeLessThanOrEqual(45_000);
    for (let i = 0; i < 20_000; i++) {
      expect(storage.test([claimOf("5 per day", `long-${i}`, strategy)])[0]?.remaining).toBe(4);
    }
  });
});

describe("a table that is left alone", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("gives its memory back after its keys expired, and stops its timer", () => {
    const { clock, storage } = storageWithTable();
    for (let i = 0; i < 50_000; i++) {
      storage.hit([claimOf("5 per minute", `${i}`, "moving-window")], ALL_OR_NOTHING);
    }
    expect(vi.getTimerCount()).toBe(1);
    clock.advance(60_000);
    vi.advanceTimersByTime(60_000);
    expect(storage.size).toBe(0);
    expect(storage.bytes).toBeLessThan(4000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("has no timer for a few thousand keys", () => {
    const { storage } = storageWithTable();
    for (let i = 0; i < 2000; i++) storage.hit([claimOf("5 per minute", `${i}`)], ALL_OR_NOTHING);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("has no timer once it is closed, and counts on", () => {
    const { storage } = storageWithTable();
    for (let i = 0; i < 10_000; i++) storage.hit([claimOf("1 per minute", `${i}`)], ALL_OR_NOTHING);
    storage.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(storage.hit([claimOf("1 per minute", "7")], ALL_OR_NOTHING)[0]?.allowed).toBe(false);
  });
});

describe("reset", () => {
  it("forgets one limiter's counters on a storage that several share, whatever lies in the table", () => {
    const { storage } = storageWithTable();
    const claims = Array.from({ length: 9000 }, (_, i) => {
      const claim = claimOf("1 per minute", `${i}`, STRATEGY_NAMES[i % 4]);
      return { ...claim, key: `app-${i % 3}:{${i}}:${claim.policy.id}` };
    });
    for (const claim of claims) storage.hit([claim], ALL_OR_NOTHING);
    storage.reset("app-1:{");
    expect(storage.size).toBe(6000);
    claims.forEach((claim, i) => {
      expect(storage.test([claim])[0]?.allowed).toBe(i % 3 === 1);
    });
    storage.reset("app-");
    expect(storage.size).toBe(0);
  });

  it("says that it keeps no keys when a prefix goes on behind the brace", () => {
    const { storage } = storageWithTable();
    expect(() => storage.reset("app:{ann")).toThrow(/keeps no keys/);
  });
});
