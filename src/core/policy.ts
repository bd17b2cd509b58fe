import { ConfigurationError } from "./errors.js";
import { RateLimit } from "./rate-limit.js";
import { blockStrategy } from "./strategies/block.js";
import { fixedWindow } from "./strategies/fixed-window.js";
import { movingWindow } from "./strategies/moving-window.js";
import { slidingWindowCounter } from "./strategies/sliding-window-counter.js";
import { tokenBucket } from "./strategies/token-bucket.js";
import type { Policy, Strategy, StrategyName } from "./strategy.js";

const STRATEGIES: Readonly<Record<StrategyName, Strategy>> = {
  "fixed-window": fixedWindow,
  "moving-window": movingWindow,
  "sliding-window-counter": slidingWindowCounter,
  "token-bucket": tokenBucket,
};

const SHORT_NAMES: Readonly<Record<StrategyName, string>> = {
  "fixed-window": "fw",
  "moving-window": "mw",
  "sliding-window-counter": "sw",
  "token-bucket": "tb",
};

/** Every strategy by name, in the order in which the docs explain them. */
export const STRATEGY_NAMES: readonly StrategyName[] = [
  "fixed-window",
  "moving-window",
  "sliding-window-counter",
  "token-bucket",
];

/** True for a name that {@link createPolicy} takes. */
export function isStrategyName(name: unknown): name is StrategyName {
  return typeof name === "string" && Object.hasOwn(STRATEGIES, name);
}

/**
 * Binds a limit to a strategy.
 *
 * `burst` is the whole capacity of a token bucket (default: the limit's amount) and goes with no other
 * strategy. Throws `ConfigurationError` for an unknown strategy or a burst that cannot be.
 */
export function createPolicy(limit: RateLimit, strategyName: StrategyName, burst?: number): Policy {
  if (!isStrategyName(strategyName)) {
    throw new ConfigurationError(
      `Unknown strategy ${JSON.stringify(strategyName)}. Use one of: ${STRATEGY_NAMES.join(", ")}.`,
    );
  }
  checkBurst(limit, strategyName, burst);
  const { ticksPerMs, ticksPerToken } = tickScale(limit);
  return {
    limit,
    strategy: STRATEGIES[strategyName],
    capacity: burst ?? limit.amount,
    ticksPerMs,
    ticksPerToken,
    id: `${limit.amount}/${limit.windowMs}/${SHORT_NAMES[strategyName]}${burst === undefined ? "" : burst}`,
  };
}

/** The policy of a block: refused until a set instant. A hit of cost `n` blocks for `n` milliseconds. */
export const BLOCK_POLICY: Policy = {
  limit: new RateLimit(1, 1, "millisecond"),
  strategy: blockStrategy,
  capacity: 1,
  ticksPerMs: 1,
  ticksPerToken: 1,
  id: "block",
};

function checkBurst(limit: RateLimit, strategyName: StrategyName, burst: number | undefined): void {
  if (burst === undefined) return;
  if (strategyName !== "token-bucket") {
    throw new ConfigurationError(
      `burst: ${burst} goes only with strategy "token-bucket", not with "${strategyName}". Drop it or change the strategy.`,
    );
  }
  if (!Number.isSafeInteger(burst) || burst < 1 || limit.amount === 0) {
    throw new ConfigurationError(
      `burst is the whole capacity of the bucket, a whole number from 1, got ${burst} for "${limit}".`,
    );
  }
}

/** Finer ticks than this would lose precision: `2^15` of them in each of 2^38 milliseconds (8.7 years) fill a double. */
const MAX_TICKS_PER_MS = 32_768;

/**
 * The coarsest tick in which a token is a whole number of ticks, so that sums stay exact in a double.
 *
 * A limit that would need more than 2^15 ticks in a millisecond (99,991 per minute, say) gets that many and a
 * token rounded up to the next tick: it refills slower than asked by less than one part in `ticksPerToken`,
 * and never faster.
 */
function tickScale({ amount, windowMs }: RateLimit): Pick<Policy, "ticksPerMs" | "ticksPerToken"> {
  if (amount === 0) return { ticksPerMs: 1, ticksPerToken: windowMs };
  const divisor = greatestCommonDivisor(windowMs, amount);
  const ticksPerMs = Math.min(amount / divisor, MAX_TICKS_PER_MS);
  return { ticksPerMs, ticksPerToken: Math.ceil((windowMs * ticksPerMs) / amount) };
}

function greatestCommonDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return x;
}
