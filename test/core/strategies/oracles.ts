import type { RateLimit } from "../../../src/core/rate-limit.js";
import type { StrategyName } from "../../../src/core/strategy.js";

/** What a strategy means, written for clarity and not for speed; exact in BigInt. Time never steps back. */
export interface Oracle {
  /** Whole units that would be free then, if nothing else happened. */
  free(now: number): bigint;
  /** Spends without asking. Gives a name for the refund. */
  charge(now: number, cost: number): number;
  /** Undoes a charge as if it had not been made, as far as it still counts. */
  refund(now: number, charge: number): void;
}

interface Spent {
  readonly at: number;
  cost: bigint;
}

/** Counts what was spent since `now - windowMs`. */
export class MovingWindowOracle implements Oracle {
  readonly #limit: RateLimit;
  readonly #spent: Spent[] = [];

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  free(now: number): bigint {
    let free = BigInt(this.#limit.amount);
    for (const { at, cost } of this.#spent) if (at > now - this.#limit.windowMs) free -= cost;
    return free;
  }

  charge(at: number, cost: number): number {
    return this.#spent.push({ at, cost: BigInt(cost) }) - 1;
  }

  refund(_now: number, charge: number): void {
    const spent = this.#spent[charge];
    if (spent !== undefined) spent.cost = 0n;
  }
}

/** Lists windows with their charges. A window that was refunded whole is still a window. */
export class FixedWindowOracle implements Oracle {
  readonly #limit: RateLimit;
  readonly #spent: (Spent & { readonly window: number })[] = [];
  #window = Number.NEGATIVE_INFINITY;

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  free(now: number): bigint {
    let free = BigInt(this.#limit.amount);
    if (now >= this.#window + this.#limit.windowMs) return free;
    for (const { window, cost } of this.#spent) if (window === this.#window) free -= cost;
    return free;
  }

  charge(at: number, cost: number): number {
    const isIdle = this.free(at) === BigInt(this.#limit.amount);
    if (cost > 0 && isIdle) this.#window = at;
    return this.#spent.push({ at, window: this.#window, cost: BigInt(cost) }) - 1;
  }

  refund(_now: number, charge: number): void {
    const spent = this.#spent[charge];
    if (spent !== undefined) spent.cost = 0n;
  }
}

/** Two windows as lists of charges; the share of the previous one is a fraction of BigInts. */
export class SlidingWindowOracle implements Oracle {
  readonly #amount: bigint;
  readonly #windowMs: number;
  readonly #spent: (Spent & { readonly window: number })[] = [];
  #window = Number.NEGATIVE_INFINITY;

  constructor({ amount, windowMs }: RateLimit) {
    this.#amount = BigInt(amount);
    this.#windowMs = windowMs;
  }

  free(now: number): bigint {
    const window = this.#windowAt(now);
    if (window === undefined) return this.#amount;
    const length = BigInt(this.#windowMs);
    const stillWeighs = BigInt(window + this.#windowMs - now);
    const weight = this.#sum(window) * length + this.#sum(window - this.#windowMs) * stillWeighs;
    return floorDivide(this.#amount * length - weight, length);
  }

  charge(at: number, cost: number): number {
    if (cost > 0) this.#window = this.#isIdle(at) ? at : (this.#windowAt(at) ?? at);
    return this.#spent.push({ at, window: this.#window, cost: BigInt(cost) }) - 1;
  }

  refund(_now: number, charge: number): void {
    const spent = this.#spent[charge];
    if (spent !== undefined) spent.cost = 0n;
  }

  #isIdle(now: number): boolean {
    const window = this.#windowAt(now);
    return window === undefined || this.#sum(window) + this.#sum(window - this.#windowMs) === 0n;
  }

  #windowAt(now: number): number | undefined {
    if (now < this.#window + this.#windowMs) return this.#window;
    return now < this.#window + 2 * this.#windowMs ? this.#window + this.#windowMs : undefined;
  }

  #sum(window: number): bigint {
    return this.#spent.reduce((sum, spent) => (spent.window === window ? sum + spent.cost : sum), 0n);
  }
}

/** GCRA in ticks of 1/amount millisecond, in which a token takes exactly `windowMs` ticks. */
export class TokenBucketOracle implements Oracle {
  readonly #ticksPerMs: bigint;
  readonly #token: bigint;
  readonly #burst: bigint;
  readonly #charges: Spent[] = [];

  constructor({ amount, windowMs }: RateLimit, burst: number = amount) {
    this.#ticksPerMs = BigInt(amount);
    this.#token = BigInt(windowMs);
    this.#burst = BigInt(burst);
  }

  free(now: number): bigint {
    const nowTicks = BigInt(now) * this.#ticksPerMs;
    let fullAt = 0n;
    for (const { at, cost } of this.#charges) {
      fullAt = larger(fullAt, BigInt(at) * this.#ticksPerMs) + cost * this.#token;
    }
    return floorDivide(this.#burst * this.#token - (larger(fullAt, nowTicks) - nowTicks), this.#token);
  }

  charge(at: number, cost: number): number {
    return this.#charges.push({ at, cost: BigInt(cost) }) - 1;
  }

  /** Plays history again without it: nothing can be given back beyond that. */
  refund(_now: number, charge: number): void {
    const spent = this.#charges[charge];
    if (spent !== undefined) spent.cost = 0n;
  }
}

export function createOracle(strategy: StrategyName, limit: RateLimit, burst?: number): Oracle {
  switch (strategy) {
    case "fixed-window":
      return new FixedWindowOracle(limit);
    case "moving-window":
      return new MovingWindowOracle(limit);
    case "sliding-window-counter":
      return new SlidingWindowOracle(limit);
    case "token-bucket":
      return new TokenBucketOracle(limit, burst);
  }
}

/** The first millisecond from now at which so many units are free; Infinity when that never comes. */
export function waitFor(oracle: Oracle, units: bigint, now: number, longestMs: number): number {
  if (oracle.free(now + longestMs) < units) return Number.POSITIVE_INFINITY;
  let [low, high] = [-1, longestMs];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (oracle.free(now + middle) >= units) high = middle;
    else low = middle;
  }
  return high;
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function floorDivide(a: bigint, b: bigint): bigint {
  return a >= 0n || a % b === 0n ? a / b : a / b - 1n;
}
