import { describe, expect, it, vi } from "vitest";
import { StorageError } from "../../src/core/errors.js";
import { parseLimit } from "../../src/core/parse-limit.js";
import { createPolicy } from "../../src/core/policy.js";
import type { Claim } from "../../src/core/storage.js";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import { MemoryStorage } from "../../src/memory/index.js";
import { FaultyStorage, ManualClock, storageContract } from "../../src/testing/index.js";

const policy = createPolicy(parseLimit("5 per minute"), "fixed-window");
const claim: Claim = { policy, key: "test:{ann}:5", cost: 1, role: "limit" };

function setUp() {
  const inner = new MemoryStorage({ clock: new ManualClock() });
  return { inner, storage: new FaultyStorage(inner) };
}

/** All operations that can fail. */
function operations(storage: FaultyStorage): readonly (() => unknown)[] {
  return [
    () => storage.hit([claim], ALL_OR_NOTHING),
    () => storage.test([claim]),
    () => storage.refund([{ claim, receipt: { receipt: 0, refundsSeen: 0 } }]),
    () => storage.clear([claim]),
    () => storage.reset("test"),
  ];
}

describe("FaultyStorage, healthy", () => {
  storageContract({ describe, it }, () => {
    const clock = new ManualClock();
    return { storage: new FaultyStorage(new MemoryStorage({ clock })), advance: (ms) => clock.advance(ms) };
  });

  it("answers as the storage inside, at once where that does", () => {
    const { storage } = setUp();
    expect(storage.hit([claim], ALL_OR_NOTHING)).toMatchObject([{ allowed: true, remaining: 4 }]);
    expect(storage.check()).toBe(true);
    expect(storage.name).toBe("faulty memory");
  });

  it("passes its clock and its end on", async () => {
    const inner = new MemoryStorage();
    const [useClock, close] = [vi.spyOn(inner, "useClock"), vi.fn()];
    const storage = new FaultyStorage(Object.assign(inner, { close }));
    const clock = new ManualClock();
    storage.useClock(clock);
    await storage.close();
    expect(useClock).toHaveBeenCalledWith(clock);
    expect(close).toHaveBeenCalledOnce();
  });
});

describe("FaultyStorage, failing", () => {
  it("rejects every operation with the error, and reaches nothing", async () => {
    const { storage, inner } = setUp();
    const failure = new Error("READONLY You can't write against a read only replica.");
    storage.fail(failure);
    for (const operation of operations(storage)) await expect(operation()).rejects.toBe(failure);
    expect(inner.size).toBe(0);
  });

  it("rejects with a StorageError when it is told no error", async () => {
    const { storage } = setUp();
    storage.fail();
    await expect(storage.hit([claim], ALL_OR_NOTHING)).rejects.toBeInstanceOf(StorageError);
  });

  it("is not there when it is asked", async () => {
    const { storage } = setUp();
    storage.fail();
    expect(await storage.check()).toBe(false);
  });

  it("goes on as before when it is healed", async () => {
    const { storage } = setUp();
    await storage.hit([claim], ALL_OR_NOTHING);
    storage.fail();
    await expect(storage.hit([claim], ALL_OR_NOTHING)).rejects.toThrow();
    storage.heal();
    expect(storage.hit([claim], ALL_OR_NOTHING)).toMatchObject([{ remaining: 3 }]);
    expect(await storage.check()).toBe(true);
  });
});

describe("FaultyStorage, hanging", () => {
  it("never answers, also not after it is healed; new calls are", async () => {
    vi.useFakeTimers();
    try {
      const { storage, inner } = setUp();
      const settled = vi.fn();
      storage.hang();
      for (const operation of [...operations(storage), () => storage.check()]) {
        Promise.resolve(operation()).then(settled, settled);
      }
      await vi.advanceTimersByTimeAsync(60_000);
      storage.heal();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(settled).not.toHaveBeenCalled();
      expect(inner.size).toBe(0);
      expect(storage.hit([claim], ALL_OR_NOTHING)).toMatchObject([{ remaining: 4 }]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("FaultyStorage, slow", () => {
  it("takes effect late", async () => {
    vi.useFakeTimers();
    try {
      const { storage, inner } = setUp();
      storage.delay(200);
      const answer = storage.hit([claim], ALL_OR_NOTHING);
      await vi.advanceTimersByTimeAsync(199);
      expect(inner.size).toBe(0);
      await vi.advanceTimersByTimeAsync(1);
      expect(await answer).toMatchObject([{ allowed: true, remaining: 4 }]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("charges nothing for a caller that no longer waits", async () => {
    const { storage, inner } = setUp();
    storage.delay(20);
    await expect(storage.hit([claim], { mode: "all", timeoutMs: 10 })).rejects.toBeInstanceOf(StorageError);
    expect(inner.size).toBe(0);
    expect(await storage.hit([claim], { mode: "all", timeoutMs: 1000 })).toMatchObject([{ remaining: 4 }]);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("takes %d for no delay", (ms) => {
    expect(() => setUp().storage.delay(ms)).toThrow(RangeError);
  });
});

describe("FaultyStorage's calls", () => {
  it("are counted in every condition", async () => {
    const { storage } = setUp();
    const before = storage.calls;
    await storage.hit([claim], ALL_OR_NOTHING);
    storage.fail();
    await expect(storage.hit([claim], ALL_OR_NOTHING)).rejects.toThrow();
    await storage.check();
    storage.hang();
    void storage.hit([claim], ALL_OR_NOTHING);
    expect(storage.calls).toEqual({ hit: 3, test: 0, refund: 0, clear: 0, reset: 0, check: 1 });
    expect(before.hit).toBe(0);
  });
});
