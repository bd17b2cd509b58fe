import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPolicy, STRATEGY_NAMES } from "../../src/core/policy.js";
import { RateLimit } from "../../src/core/rate-limit.js";
import type { Policy, StrategyName } from "../../src/core/strategy.js";
import { type Charged, Counter } from "./strategies/counter.js";
import {
  awkwardLimits,
  earlyStarts,
  limits,
  runs,
  type Step,
  starts,
  stepsOn,
} from "./strategies/histories.js";
import { createOracle, type Oracle, waitFor } from "./strategies/oracles.js";

/** A history on a limit that the strategy counts, from some instant on. */
const histories = limits.chain((limit) =>
  fc.record({ limit: fc.constant(limit), startAt: starts, steps: stepsOn(limit) }),
);
const awkwardHistories = awkwardLimits.chain((limit) =>
  fc.record({ limit: fc.constant(limit), startAt: earlyStarts, steps: stepsOn(limit, 12) }),
);

/** A time after which nothing is left of any charge. */
function longestMs({ limit, capacity }: Policy): number {
  return Math.max(2 * limit.windowMs, Math.ceil((capacity * limit.windowMs) / Math.max(1, limit.amount))) + 1;
}

describe.each(STRATEGY_NAMES)("%s, against its oracle", (strategy) => {
  it("says of every hit and test what brute force says", () => {
    fc.assert(
      fc.property(histories, ({ limit, startAt, steps }) => {
        const policy = createPolicy(limit, strategy);
        const [counter, oracle] = [new Counter(policy), createOracle(strategy, limit)];
        let now = startAt;
        for (const { afterMs, cost } of steps) {
          now += afterMs;
          expect(counter.test(now, cost)).toMatchObject(verdictOf(oracle, policy, cost, now));
          const before = verdictOf(oracle, policy, cost, now);
          if (before.allowed && cost > 0) oracle.charge(now, cost);
          const after = verdictOf(oracle, policy, cost, now);
          expect(counter.hit(now, cost)).toMatchObject({ ...after, ...pick(before) });
        }
      }),
      runs(300),
    );
  });

  it("decides the same whether it forgets at expiresAt or never", () => {
    fc.assert(
      fc.property(histories, ({ limit, startAt, steps }) => {
        const policy = createPolicy(limit, strategy);
        const [forgetful, eternal] = [new Counter(policy), new Counter(policy, { forgets: false })];
        const played = [forgetful, eternal].map((counter) => play(counter, startAt, steps));
        expect(played[0]).toEqual(played[1]);
      }),
      runs(150),
    );
  });

  it("never gives back more than history without the charge would have left", () => {
    fc.assert(
      fc.property(histories, ({ limit, startAt, steps }) => {
        const policy = createPolicy(limit, strategy);
        const counter = new Counter(policy);
        const [without, withAll] = [createOracle(strategy, limit), createOracle(strategy, limit)];
        expectNothingMinted(counter, without, withAll, startAt, steps);
      }),
      runs(300),
    );
  });

  it("is as honest with awkward amounts: remaining passes now, the cost passes at retryAfterMs", () => {
    fc.assert(
      fc.property(awkwardHistories, ({ limit, startAt, steps }) => {
        fc.pre(hasExactSums(strategy, limit));
        const policy = createPolicy(limit, strategy);
        const [spent, waiting] = [new Counter(policy), new Counter(policy)];
        const [now = 0] = [spent, waiting].map((counter) => play(counter, startAt, steps).endsAt);
        const { remaining } = spent.test(now);
        expectRetryHonest(waiting, remaining + 1, now);
        if (remaining > 0) expect(spent.hit(now, remaining)).toMatchObject({ allowed: true, remaining: 0 });
        expect(spent.hit(now).allowed).toBe(false);
      }),
      runs(300),
    );
  });

  it("admits exactly remaining hits of one unit now", () => {
    fc.assert(
      fc.property(histories, ({ limit, startAt, steps }) => {
        const counter = new Counter(createPolicy(limit, strategy));
        const now = play(counter, startAt, steps).endsAt;
        const { remaining } = counter.test(now);
        expect(counter.admitted(now, remaining + 5)).toBe(remaining);
      }),
      runs(100),
    );
  });

  it("has more at resetAfterMs, and not a millisecond earlier", () => {
    fc.assert(
      fc.property(histories, ({ limit, startAt, steps }) => {
        const counter = new Counter(createPolicy(limit, strategy));
        const now = play(counter, startAt, steps).endsAt;
        const { remaining, resetAfterMs } = counter.test(now);
        expect(resetAfterMs === 0).toBe(remaining === counter.policy.capacity);
        if (resetAfterMs === 0) return;
        expect(counter.remaining(now + resetAfterMs - 1)).toBe(remaining);
        expect(counter.remaining(now + resetAfterMs)).toBeGreaterThan(remaining);
      }),
      runs(150),
    );
  });

  it("never turns a refusal into a pass by a larger cost, nor a pass into a refusal by waiting", () => {
    const probes = fc.record({
      cost: fc.nat(1100),
      more: fc.nat(1100),
      waits: fc.array(fc.nat(100_000_000)),
    });
    fc.assert(
      fc.property(histories, probes, ({ limit, startAt, steps }, { cost, more, waits }) => {
        const counter = new Counter(createPolicy(limit, strategy));
        const now = play(counter, startAt, steps).endsAt;
        if (!counter.test(now, cost).allowed) expect(counter.test(now, cost + more).allowed).toBe(false);
        let [at, wasAllowed, wasLeft] = [now, counter.test(now, cost).allowed, counter.remaining(now)];
        for (const wait of waits.sort((a, b) => a - b)) {
          at = now + wait;
          const { allowed, remaining } = counter.test(at, cost);
          expect(allowed || !wasAllowed).toBe(true);
          expect(remaining).toBeGreaterThanOrEqual(wasLeft);
          [wasAllowed, wasLeft] = [allowed, remaining];
        }
      }),
      runs(150),
    );
  });

  it("stays within its bounds under a clock that jumps about", () => {
    const jumps = fc.array(fc.record({ at: fc.nat(10_000_000), cost: fc.nat(12) }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(limits, jumps, (limit, hits) => {
        const counter = new Counter(createPolicy(limit, strategy));
        const { capacity } = counter.policy;
        for (const { at, cost } of hits) {
          const { remaining, resetAfterMs, retryAfterMs } = counter.hit(at, Math.min(cost, capacity));
          expect(remaining).toBeGreaterThanOrEqual(0);
          expect(remaining).toBeLessThanOrEqual(capacity);
          expect(resetAfterMs).toBeLessThanOrEqual(longestMs(counter.policy));
          expect(retryAfterMs).toBeLessThanOrEqual(longestMs(counter.policy));
        }
      }),
      runs(150),
    );
  });
});

describe("sliding-window-counter", () => {
  it("is off by no more than rounding where amount times window exceeds 2^53", () => {
    const huge = fc.constantFrom(10_000_019, 2 ** 31 - 1, 2 ** 40 + 15, Number.MAX_SAFE_INTEGER);
    const histories = huge
      .map((amount) => new RateLimit(amount, 1, "year"))
      .chain((limit) => fc.record({ limit: fc.constant(limit), steps: stepsOn(limit) }));
    fc.assert(
      fc.property(histories, ({ limit, steps }) => {
        const counter = new Counter(createPolicy(limit, "sliding-window-counter"));
        const oracle = createOracle("sliding-window-counter", limit);
        let now = 0;
        for (const { afterMs, cost } of steps) {
          now += afterMs;
          const off = Number(BigInt(counter.remaining(now)) - oracle.free(now));
          expect(Math.abs(off)).toBeLessThanOrEqual(1 + limit.amount / 2 ** 51);
          if (counter.hit(now, cost).allowed && cost > 0) oracle.charge(now, cost);
        }
      }),
      runs(150),
    );
  });
});

describe("moving-window", () => {
  it("never admits more than the amount in any window", () => {
    fc.assert(
      fc.property(histories, ({ limit, startAt, steps }) => {
        const { admitted } = play(
          new Counter(createPolicy(limit, "moving-window")),
          startAt,
          withoutRefunds(steps),
        );
        for (const { at: end } of admitted) {
          const inWindow = admitted.filter(({ at }) => at > end - limit.windowMs && at <= end);
          expect(inWindow.reduce((sum, { cost }) => sum + cost, 0)).toBeLessThanOrEqual(limit.amount);
        }
      }),
      runs(200),
    );
  });
});

describe("token-bucket", () => {
  const bursts = fc.constantFrom(undefined, 1, 2, 5, 1000);

  it("never admits more than burst and rate, with awkward amounts and at any instant", () => {
    fc.assert(
      fc.property(awkwardHistories, bursts, ({ limit, startAt, steps }, burst) => {
        const counter = new Counter(createPolicy(limit, "token-bucket", burst));
        expectWithinEnvelope(counter.policy, play(counter, startAt, withoutRefunds(steps)).admitted);
      }),
      runs(300),
    );
  });

  it("never admits more than burst and rate under a flood", () => {
    fc.assert(
      fc.property(awkwardLimits, bursts, earlyStarts, (limit, burst, startAt) => {
        const counter = new Counter(createPolicy(limit, "token-bucket", burst));
        expectWithinEnvelope(counter.policy, flood(counter, startAt, 300));
      }),
      runs(100),
    );
  });

  it("decides with any burst as exact rational arithmetic, where ticks are exact", () => {
    fc.assert(
      fc.property(histories, fc.constantFrom(1, 2, 5, 1000), ({ limit, startAt, steps }, burst) => {
        const policy = createPolicy(limit, "token-bucket", burst);
        const [counter, oracle] = [new Counter(policy), createOracle("token-bucket", limit, burst)];
        let now = startAt;
        for (const { afterMs, cost } of steps) {
          now += afterMs;
          const expected = verdictOf(oracle, policy, cost, now);
          expect(counter.test(now, cost)).toMatchObject(expected);
          if (counter.hit(now, cost).allowed && cost > 0) oracle.charge(now, cost);
        }
      }),
      runs(200),
    );
  });

  it("refills an awkward amount by at most one part in ten thousand slower than asked", () => {
    fc.assert(
      fc.property(awkwardLimits, (limit) => {
        const { ticksPerMs, ticksPerToken } = createPolicy(limit, "token-bucket");
        const exact = (limit.windowMs * ticksPerMs) / limit.amount;
        if (exact < 10_000 && ticksPerMs === 32_768) return;
        expect(ticksPerToken / exact).toBeLessThanOrEqual(1.0001);
        expect(ticksPerToken / exact).toBeGreaterThanOrEqual(1 - 1e-15);
      }),
      runs(300),
    );
  });
});

interface Played {
  readonly admitted: readonly { readonly at: number; readonly cost: number }[];
  readonly decisions: readonly boolean[];
  readonly endsAt: number;
}

function play(counter: Counter, startAt: number, steps: readonly Step[]): Played {
  const admitted: { readonly at: number; readonly cost: number }[] = [];
  const charges: Charged[] = [];
  const decisions: boolean[] = [];
  let now = startAt;
  for (const { afterMs, cost, refund } of steps) {
    now += afterMs;
    if (refund !== undefined)
      for (const charge of charges.splice(-1 - refund, 1)) counter.refund(now, charge);
    const transition = counter.hit(now, cost);
    decisions.push(transition.allowed);
    if (!transition.allowed) continue;
    admitted.push({ at: now, cost });
    charges.push({ cost, receipt: transition });
  }
  return { admitted, decisions, endsAt: now };
}

function withoutRefunds(steps: readonly Step[]): readonly Step[] {
  return steps.map(({ afterMs, cost }) => ({ afterMs, cost }));
}

/** Hits of one unit as soon as they can pass. */
function flood(counter: Counter, startAt: number, hits: number): Played["admitted"] {
  const admitted: { readonly at: number; readonly cost: number }[] = [];
  let now = startAt;
  const burst = counter.policy.capacity - 1;
  if (burst > 0 && counter.hit(now, burst).allowed) admitted.push({ at: now, cost: burst });
  for (let i = 0; i < hits; i++) {
    const { allowed, retryAfterMs } = counter.hit(now);
    if (allowed) admitted.push({ at: now, cost: 1 });
    else now += retryAfterMs;
  }
  return admitted;
}

/** Units of every stretch of admissions stay within `burst + rate * time`, exactly. */
function expectWithinEnvelope({ limit, capacity }: Policy, admitted: Played["admitted"]): void {
  const [amount, windowMs] = [BigInt(limit.amount), BigInt(limit.windowMs)];
  let [level, last] = [0n, admitted[0]?.at ?? 0];
  for (const { at, cost } of admitted) {
    const drained = level - BigInt(at - last) * amount;
    level = (drained > 0n ? drained : 0n) + BigInt(cost) * windowMs;
    last = at;
    if (level <= BigInt(capacity) * windowMs) continue;
    const excess = Number(level - BigInt(capacity) * windowMs) / Number(windowMs);
    throw new Error(`${excess} units too many of ${limit} (burst ${capacity}) at ${at}`);
  }
}

function verdictOf(oracle: Oracle, policy: Policy, cost: number, now: number) {
  const free = oracle.free(now);
  const capacity = BigInt(policy.capacity);
  const longest = longestMs(policy);
  const wait = (units: bigint) =>
    units > capacity ? Number.POSITIVE_INFINITY : waitFor(oracle, units, now, longest);
  return {
    allowed: free >= BigInt(cost),
    remaining: Number(free),
    resetAfterMs: free === capacity ? 0 : wait(free + 1n),
    retryAfterMs: wait(BigInt(cost)),
  };
}

/** The sliding counter's sums are units times milliseconds: whole numbers up to 2^53 only. */
function hasExactSums(strategy: StrategyName, { amount, windowMs }: RateLimit): boolean {
  return strategy !== "sliding-window-counter" || amount * windowMs <= Number.MAX_SAFE_INTEGER;
}

/** A cost just too large is refused until `retryAfterMs`, and admitted at it. */
function expectRetryHonest(counter: Counter, cost: number, now: number): void {
  const { allowed, retryAfterMs } = counter.test(now, cost);
  expect(allowed).toBe(false);
  expect(retryAfterMs === Number.POSITIVE_INFINITY).toBe(cost > counter.policy.capacity);
  if (retryAfterMs === Number.POSITIVE_INFINITY) return;
  expect(counter.test(now + retryAfterMs - 1, cost).allowed).toBe(false);
  expect(counter.test(now + retryAfterMs, cost).allowed).toBe(true);
}

/** The part of a verdict that speaks of before the charge. */
function pick({ allowed, retryAfterMs }: { readonly allowed: boolean; readonly retryAfterMs: number }) {
  return { allowed, retryAfterMs };
}

/**
 * Plays hits and refunds. `without` forgets refunded charges as if they had never been; `withAll` keeps them.
 *
 * What is free lies between the two; all strategies but the token bucket give back everything that still counts.
 */
function expectNothingMinted(
  counter: Counter,
  without: Oracle,
  withAll: Oracle,
  startAt: number,
  steps: readonly Step[],
): void {
  const charges: (Charged & { readonly name: number })[] = [];
  const givesAllBack = (counter.policy.strategy.name satisfies StrategyName | "block") !== "token-bucket";
  let now = startAt;
  for (const { afterMs, cost, refund } of steps) {
    now += afterMs;
    if (refund !== undefined) {
      for (const charge of charges.splice(-1 - refund, 1)) {
        counter.refund(now, charge);
        without.refund(now, charge.name);
      }
    }
    const remaining = BigInt(counter.remaining(now));
    const most = without.free(now);
    expect(remaining).toBeLessThanOrEqual(most);
    if (givesAllBack) expect(remaining).toBe(most);
    const transition = counter.hit(now, cost);
    if (!transition.allowed || cost === 0) continue;
    withAll.charge(now, cost);
    charges.push({ cost, receipt: transition, name: without.charge(now, cost) });
  }
  if (!givesAllBack) expect(BigInt(counter.remaining(now))).toBeGreaterThanOrEqual(withAll.free(now));
}
