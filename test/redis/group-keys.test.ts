import { describe, expect, test } from "vitest";
import { entryId, entryName, groupKey, isSameGroup, storedKey } from "../../src/redis/groups.js";
import { claim, placed, policy } from "./claims.js";

describe("a claim's stored key", () => {
  test("goes by the text of its key: what stands before the policy", () => {
    const by = (key: string) => {
      const one = claim(policy("fixed-window", 1), { key });
      return [groupKey(one), entryName(one)];
    };
    expect(by("p:{ann}:/x:5/60000/fw")).toEqual(["p:{ann}:/x:", "5/60000/fw"]);
    expect(by("p:{ann}:/users/:id:block")).toEqual(["p:{ann}:/users/:id:", "block"]);
    expect(by("p:{ann}:x")).toEqual(["p:{ann}:", "x"]);
  });

  test("is the whole key where that would lose what a Cluster places it by", () => {
    for (const key of ["p:{a:b}", "p:ann:5/60000/fw", "p:{}:5/60000/fw", "p"]) {
      const one = claim(policy("fixed-window", 1), { key });
      expect([groupKey(one), entryName(one)]).toEqual([key, ""]);
    }
  });

  test("is the same for a claim that knows its place", () => {
    const one = placed(policy("fixed-window", 5), "ann", "/users/:id");
    const byText = claim(one.policy, { key: one.key });
    expect(groupKey(one)).toBe(groupKey(byText));
    expect(entryName(one)).toBe(entryName(byText));
    expect(isSameGroup(one, byText)).toBe(true);
    expect(isSameGroup(one, placed(policy("token-bucket", 5), "ann", "/users/:id"))).toBe(true);
    expect(isSameGroup(one, placed(one.policy, "bob", "/users/:id"))).toBe(false);
    expect(isSameGroup(one, placed(one.policy, "ann", "/users"))).toBe(false);
  });

  test("is no other claim's own key", () => {
    // A route may be called like a policy.
    const log = placed(policy("moving-window", 5), "ann", "/x");
    const route = placed(policy("fixed-window", 5), "ann", `/x:${log.policy.id}`);
    expect(storedKey(log)).toBe(log.key);
    expect(storedKey(route)).not.toBe(log.key);
  });

  test("limits have different numbers in it", () => {
    const ids = new Set<number>();
    let names = 0;
    for (const strategy of ["fw", "sw", "tb"]) {
      for (const windowMs of [1000, 60_000, 3_600_000, 86_400_000]) {
        for (let amount = 0; amount < 20_000; amount++) {
          ids.add(entryId(`${amount}/${windowMs}/${strategy}`));
          names++;
        }
      }
    }
    expect(ids.size).toBe(names);
    for (const id of ids) expect(id >= 0 && id < 2 ** 48).toBe(true);
  });
});
