import fc from "fast-check";
import { expect, it } from "vitest";
import { KeyedClaim } from "../../src/core/claim.js";
import { KeyPlace, keyHead } from "../../src/core/key.js";
import { BLOCK_POLICY, createPolicy, STRATEGY_NAMES } from "../../src/core/policy.js";
import { RateLimit } from "../../src/core/rate-limit.js";
import type { Charge, Claim, Storage } from "../../src/core/storage.js";
import type { Policy, Verdict } from "../../src/core/strategy.js";
import { Fingerprint } from "../../src/memory/fingerprint.js";
import { MemoryStorage } from "../../src/memory/index.js";
import { SlotTable } from "../../src/memory/slot-table.js";
import { ManualClock } from "../../src/testing/index.js";
import { runs } from "../core/strategies/histories.js";
import { MapStorage } from "../helpers/map-storage.js";

const POLICIES: readonly Policy[] = [
  ...STRATEGY_NAMES.flatMap((strategy) => [
    createPolicy(new RateLimit(3, 1, "second"), strategy),
    createPolicy(new RateLimit(1, 100, "millisecond"), strategy),
    createPolicy(new RateLimit(40, 1, "minute"), strategy),
    createPolicy(new RateLimit(2 ** 40, 1, "hour"), strategy),
    createPolicy(new RateLimit(0, 1, "second"), strategy),
  ]),
  createPolicy(new RateLimit(7, 1, "second"), "token-bucket", 20),
  BLOCK_POLICY,
];
const HEADS = ["app", "other"].map(keyHead);
const PLACES = HEADS.map((head) => POLICIES.map(({ id }) => new KeyPlace(head, "counter", id)));

/** What one claim is made of; the indexes choose from the lists above. */
interface Part {
  readonly policy: number;
  readonly head: number;
  readonly owner: number;
  readonly cost: number;
  readonly isMeta: boolean;
  readonly followsFirst: boolean;
}

type Step =
  | { readonly kind: "hit"; readonly parts: readonly Part[]; readonly mode: "all" | "each" }
  | { readonly kind: "test" | "clear"; readonly parts: readonly Part[] }
  | { readonly kind: "refund"; readonly which: number }
  | { readonly kind: "advance"; readonly ms: number }
  | { readonly kind: "stepBack"; readonly ms: number }
  | { readonly kind: "reset"; readonly prefix: string };

const part: fc.Arbitrary<Part> = fc.record({
  policy: fc.nat(POLICIES.length - 1),
  head: fc.nat(1),
  owner: fc.oneof({ weight: 3, arbitrary: fc.nat(3) }, { weight: 2, arbitrary: fc.nat(400) }),
  cost: fc.oneof(
    { weight: 6, arbitrary: fc.constant(1) },
    { weight: 3, arbitrary: fc.constantFrom(0, 2, 3, 4, 41, 2 ** 27, 2 ** 39) },
  ),
  isMeta: fc.boolean(),
  followsFirst: fc.boolean(),
});
const parts = fc.oneof(
  { weight: 3, arbitrary: fc.array(part, { minLength: 1, maxLength: 1 }) },
  { weight: 2, arbitrary: fc.array(part, { minLength: 2, maxLength: 5 }) },
);
const wait = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 99, 100, 333, 999, 1000) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 5000 }) },
  { weight: 1, arbitrary: fc.constantFrom(59_999, 60_000, 7_200_000) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant("hit"), parts, mode: fc.constantFrom("all", "each") }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("test", "clear"), parts }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("refund"), which: fc.nat(12) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("advance"), ms: wait }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("stepBack"), ms: fc.nat(3000) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("reset"),
      prefix: fc.constantFrom("", "app", "app:{", "x", "other:{"),
    }),
  },
) as fc.Arbitrary<Step>;

/** Claims in both forms: by key alone, and by the parts of the key. They must meet. */
function toClaims(chosen: readonly Part[]): readonly Claim[] {
  const claims: Claim[] = [];
  const keys = new Set<string>();
  for (const { policy: p, head, owner, cost, isMeta, followsFirst } of chosen) {
    const [policy, place] = [POLICIES[p]!, PLACES[head]![p]!];
    const key = place.keyOf(`client-${owner}`);
    if (keys.has(key)) continue;
    keys.add(key);
    const role = isMeta || policy === BLOCK_POLICY ? "meta" : "limit";
    const first = claims[0];
    const parent = role === "meta" && followsFirst && first?.role === "limit" ? first : undefined;
    if (owner % 2 === 0) claims.push({ policy, key, cost, role, parent });
    else
      claims.push(
        new KeyedClaim({ policy, place, owner: `client-${owner}`, cost, role, parent, who: "", scope: "" }),
      );
  }
  return claims;
}

/** A storage with its own record of what it was charged. */
class Subject {
  readonly clock = new ManualClock(1_785_000_000_000);
  readonly charges: Charge[] = [];
  readonly storage: Storage;

  constructor(createStorage: (clock: ManualClock) => Storage) {
    this.storage = createStorage(this.clock);
  }

  run(next: Step): unknown {
    switch (next.kind) {
      case "hit":
        return this.#hit(toClaims(next.parts), next.mode);
      case "test":
        return this.storage.test(toClaims(next.parts));
      case "clear":
        return this.storage.clear(toClaims(next.parts));
      case "refund": {
        const charge = this.charges.at(-1 - next.which);
        return charge && this.storage.refund([charge]);
      }
      case "advance":
        return this.clock.advance(next.ms);
      case "stepBack":
        return this.clock.set(this.clock.now() - next.ms);
      case "reset":
        return this.storage.reset(next.prefix);
    }
  }

  #hit(claims: readonly Claim[], mode: "all" | "each"): readonly object[] {
    const verdicts = this.storage.hit(claims, { mode }) as readonly Verdict[];
    claims.forEach((claim, i) => {
      const verdict = verdicts[i]!;
      if (verdict.allowed) this.charges.push({ claim, receipt: verdict });
    });
    return verdicts.map(({ allowed, remaining, resetAfterMs, retryAfterMs, receipt, refundsSeen }) => ({
      allowed,
      remaining,
      resetAfterMs,
      retryAfterMs,
      ...(allowed ? { receipt, refundsSeen } : {}),
    }));
  }
}

function expectSameAnswers(
  steps: readonly Step[],
  createStorage: (clock: ManualClock) => MemoryStorage,
): void {
  const oracle = new Subject((clock) => new MapStorage({ clock }));
  const subject = new Subject(createStorage);
  steps.forEach((next, i) => {
    const [expected, actual] = [oracle.run(next), subject.run(next)];
    expect(actual, `step ${i}: ${next.kind}`).toEqual(expected);
  });
}

/** Halves with few bits: many keys meet in one segment, and on one home slot. */
class CoarseFingerprint extends Fingerprint {
  override hash(text: string): void {
    super.hash(text);
    this.high &= 0xc000_00ff;
    this.low &= 0x8000_ffff;
  }
}

const SHAPES = [
  { name: "as it is", shape: undefined },
  { name: "in tiny segments", shape: { mostSlots: 16, slotStep: 8, mostDepth: 8 } },
  {
    name: "with fingerprints that crowd",
    shape: { mostSlots: 32, slotStep: 8, mostDepth: 5, fingerprint: new CoarseFingerprint() },
  },
];

it.each(SHAPES)("the table, $name, answers as the Map does", ({ shape }) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 150, size: "max" }), (steps) => {
      expectSameAnswers(steps, (clock) => new MemoryStorage({ clock }, new SlotTable(shape)));
    }),
    runs(300),
  );
});

it("the table answers as the Map does over thousands of keys, through growth, splits and expiry", () => {
  const many = fc.array(fc.record({ owner: fc.nat(3000), policy: fc.nat(POLICIES.length - 1) }), {
    minLength: 3000,
    maxLength: 4000,
    size: "max",
  });
  fc.assert(
    fc.property(many, (hits) => {
      const steps = hits.flatMap(({ owner, policy }, i): Step[] => [
        {
          kind: "hit",
          mode: "all",
          parts: [{ policy, owner, head: 0, cost: 1, isMeta: false, followsFirst: false }],
        },
        ...(i % 5 === 0 ? [{ kind: "refund", which: i % 7 } as const] : []),
        ...(i % 20 === 0 ? [{ kind: "advance", ms: 13 } as const] : []),
      ]);
      const shape = { mostSlots: 64, slotStep: 8, mostDepth: 12 };
      expectSameAnswers(steps, (clock) => new MemoryStorage({ clock }, new SlotTable(shape)));
    }),
    runs(6),
  );
});
