import { describe, expect, it } from "vitest";
import { parseLimit } from "../../src/core/parse-limit.js";
import { createPolicy, STRATEGY_NAMES } from "../../src/core/policy.js";
import type { Claim } from "../../src/core/storage.js";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import type { StrategyName } from "../../src/core/strategy.js";
import { MemoryStorage } from "../../src/memory/index.js";
import { ManualClock } from "../../src/testing/index.js";

const MAX_KEYS = 10_000;

function claimer(limit: string, strategy: StrategyName = "fixed-window"): (who: string) => Claim {
  const policy = createPolicy(parseLimit(limit), strategy);
  return (who) => ({ policy, key: `test:{${who}}:${policy.id}`, cost: 1, role: "limit" });
}

function blockedClients(storage: MemoryStorage, claim: (who: string) => Claim, count: number): Claim[] {
  const clients = Array.from({ length: count }, (_, i) => claim(`blocked-${i}`));
  for (const client of clients) while (storage.hit([client], ALL_OR_NOTHING)[0]?.allowed === true);
  return clients;
}

describe.each(STRATEGY_NAMES)("a flood of fresh keys on a full storage, %s", (strategy) => {
  it.each(["5 per hour", "1 per day"])("frees none of 2,000 blocked clients of %s", (limit) => {
    const storage = new MemoryStorage({ maxKeys: MAX_KEYS, clock: new ManualClock() });
    const claim = claimer(limit, strategy);
    const blocked = blockedClients(storage, claim, 2000);
    let largest = 0;
    for (let i = 0; i < 100_000; i++) {
      storage.hit([claim(`fresh-${i}`)], ALL_OR_NOTHING);
      largest = Math.max(largest, storage.size);
    }
    expect(largest).toBe(MAX_KEYS);
    expect(blocked.filter((client) => storage.test([client])[0]?.allowed)).toHaveLength(0);
    expect(storage.evicted).toBe(100_000 + 2000 - MAX_KEYS);
  });
});

describe("a full storage", () => {
  it("takes no more memory however many keys are offered", () => {
    const storage = new MemoryStorage({ maxKeys: MAX_KEYS, clock: new ManualClock() });
    const claim = claimer("10 per hour");
    let largest = 0;
    for (let i = 0; i < 200_000; i++) {
      storage.hit([claim(`fresh-${i}`)], ALL_OR_NOTHING);
      if (i > 2 * MAX_KEYS) largest = Math.max(largest, storage.bytes);
    }
    expect(largest).toBeLessThan(64 * MAX_KEYS);
  });

  it("counts the newcomer even when every counter belongs to a blocked client", () => {
    const storage = new MemoryStorage({ maxKeys: 1000, clock: new ManualClock() });
    const claim = claimer("2 per hour");
    const blocked = blockedClients(storage, claim, 1000);
    const newcomer = claim("newcomer");
    expect(storage.hit([newcomer], ALL_OR_NOTHING)[0]?.remaining).toBe(1);
    expect(storage.hit([newcomer], ALL_OR_NOTHING)[0]?.remaining).toBe(0);
    expect(storage.hit([newcomer], ALL_OR_NOTHING)[0]?.allowed).toBe(false);
    expect(blocked.filter((client) => storage.test([client])[0]?.allowed)).toHaveLength(1);
  });

  it("lets go of a few blocked clients at most when nearly all are blocked", () => {
    const storage = new MemoryStorage({ maxKeys: 1000, clock: new ManualClock() });
    const claim = claimer("2 per hour");
    const blocked = blockedClients(storage, claim, 990);
    for (let i = 0; i < 50_000; i++) storage.hit([claim(`fresh-${i}`)], ALL_OR_NOTHING);
    expect(blocked.filter((client) => storage.test([client])[0]?.allowed).length).toBeLessThan(25);
  });

  it("keeps a client that was refused by a list of limits, and one behind a limit on breaches", () => {
    const storage = new MemoryStorage({ maxKeys: 1000, clock: new ManualClock() });
    const [minute, day] = [claimer("100 per minute"), claimer("1 per day")];
    const meta: Claim = { ...claimer("1 per year")("victim"), role: "meta" };
    const list = [meta, minute("victim"), day("victim")];
    for (let i = 0; i < 3; i++) storage.hit(list, ALL_OR_NOTHING);
    for (let i = 0; i < 50_000; i++) storage.hit([day(`fresh-${i}`)], ALL_OR_NOTHING);
    expect(storage.test(list).map(({ allowed }) => allowed)).toEqual([false, true, false]);
  });

  it("treats a client as any other again once it has been admitted", () => {
    const clock = new ManualClock();
    const storage = new MemoryStorage({ maxKeys: 1000, clock });
    const claim = claimer("4 per minute", "token-bucket");
    const [client] = blockedClients(storage, claim, 1);
    clock.advance(59_000);
    expect(storage.hit([client!], ALL_OR_NOTHING)[0]?.allowed).toBe(true);
    const big = claimer("2 per hour");
    for (let i = 0; i < 5000; i++) storage.hit([big(`fresh-${i}`)], ALL_OR_NOTHING);
    expect(storage.test([client!])[0]?.remaining).toBe(4);
  });
});
