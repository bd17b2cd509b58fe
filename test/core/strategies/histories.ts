import fc from "fast-check";
import { RateLimit, type Unit } from "../../../src/core/rate-limit.js";

/** One step of a history: so long after the last one, a hit of this cost. */
export interface Step {
  readonly afterMs: number;
  readonly cost: number;
  /** Gives back the charge made so many charges ago, before the hit. */
  readonly refund?: number | undefined;
}

const AMOUNTS = [1, 2, 3, 5, 7, 10, 60, 97, 100, 1000] as const;
const WINDOWS: readonly (readonly [number, Unit])[] = [
  [1, "millisecond"],
  [7, "millisecond"],
  [500, "millisecond"],
  [1, "second"],
  [1, "minute"],
  [1, "day"],
  [1, "month"],
  [1, "year"],
];

/** Ordinary and odd amounts over windows from a millisecond to a year. */
export const limits = fc
  .record({ amount: fc.constantFrom(...AMOUNTS), window: fc.constantFrom(...WINDOWS) })
  .map(({ amount, window: [multiples, unit] }) => new RateLimit(amount, multiples, unit));

/** Amounts whose token is no whole number of ticks, or so large that products leave 2^53. */
export const awkwardLimits = fc
  .record({
    amount: fc.oneof(
      fc.constantFrom(7, 13, 32_767, 32_768, 32_769, 65_537, 99_991, 1_000_003, 2 ** 31 - 1, 2 ** 40 + 15),
      fc.integer({ min: 1, max: 10_000_000 }),
    ),
    window: fc.constantFrom(...WINDOWS.slice(0, -1)),
  })
  .map(({ amount, window: [multiples, unit] }) => new RateLimit(amount, multiples, unit));

/** Steps at the edges of windows and tokens, where errors live, and between them. */
export function stepsOn(limit: RateLimit, maxLength = 40): fc.Arbitrary<readonly Step[]> {
  const { amount, windowMs } = limit;
  const tokenMs = Math.floor(windowMs / amount);
  const edges = [0, tokenMs, windowMs, 2 * windowMs, windowMs - tokenMs, Math.floor(windowMs / 2)];
  const waits = edges.flatMap((edge) => [edge - 1, edge, edge + 1]).filter((wait) => wait >= 0);
  const step = fc.record({
    afterMs: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(0, 0, 1) },
      { weight: 3, arbitrary: fc.constantFrom(...waits) },
      { weight: 2, arbitrary: fc.integer({ min: 0, max: windowMs }) },
      { weight: 1, arbitrary: fc.constant(3 * windowMs) },
    ),
    cost: fc.oneof(
      { weight: 5, arbitrary: fc.constant(1) },
      { weight: 3, arbitrary: fc.integer({ min: 0, max: Math.min(amount, 1e9) }) },
      { weight: 1, arbitrary: fc.constantFrom(amount, Math.max(1, amount - 1), amount + 1) },
    ),
    refund: fc.option(fc.nat({ max: 4 }), { nil: undefined, freq: 2 }),
  });
  return fc.array(step, { minLength: 1, maxLength });
}

/** Where a storage's time line may start: at its own start, at some later time, at the epoch. */
export const starts = fc.constantFrom(0, 1, 86_400_123, 1_785_000_000_123);

/**
 * Starts from which the finest ticks (2^15 in a millisecond) stay exact: about 8 years of a storage's time.
 * At today's epoch milliseconds a limit that needs more than 5,000 ticks loses precision.
 */
export const earlyStarts = fc.constantFrom(0, 1, 86_400_123, 100_000_000_007);

/**
 * How often a property is tried, unless `FAST_CHECK_RUNS` says otherwise.
 *
 * A failure prints seed, path and counterexample: run it again with `FAST_CHECK_SEED`, and keep the
 * counterexample as a test of its own.
 */
export function runs(count: number): fc.Parameters<unknown> {
  const { FAST_CHECK_RUNS, FAST_CHECK_SEED } = process.env;
  return {
    numRuns: FAST_CHECK_RUNS === undefined ? count : Number(FAST_CHECK_RUNS),
    ...(FAST_CHECK_SEED === undefined ? {} : { seed: Number(FAST_CHECK_SEED) }),
  };
}
