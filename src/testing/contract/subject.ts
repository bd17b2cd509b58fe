import type { Milliseconds } from "../../core/clock.js";
import { BLOCK_POLICY, createPolicy } from "../../core/policy.js";
import { RateLimit, type Unit } from "../../core/rate-limit.js";
import type { Charge, Claim, Storage } from "../../core/storage.js";
import type { StrategyName, Verdict } from "../../core/strategy.js";
import type { CreateStorage, StorageContractOptions, StorageUnderTest } from "./contract-options.js";
import { ContractViolation, expectSame, expectWithin } from "./contract-violation.js";

/** What a claim in a contract test is made of; the rest has defaults. */
export interface ClaimOptions {
  readonly strategy: StrategyName;
  /** @default 5 */
  readonly amount?: number;
  /** @default "minute" */
  readonly unit?: Unit;
  /** Of `unit`. @default 1 */
  readonly multiples?: number;
  /** @default 1 */
  readonly cost?: number;
  /** Who is counted. @default "client" */
  readonly who?: string;
  /** The first part of the key, added to the test's own. */
  readonly prefix?: string;
  readonly role?: Claim["role"];
  readonly parent?: Claim;
}

/** What one group of contract tests works with. */
export interface ContractContext {
  readonly isManual: boolean;
  readonly strategies: readonly StrategyName[];
  readonly shortestWindowMs: Milliseconds;
  readonly gaps: NonNullable<StorageContractOptions["gaps"]>;
  /** Defines a test that gets a storage of its own, and closes it. */
  readonly it: (name: string, body: (subject: Subject) => Promise<void>) => void;
  readonly describe: (name: string, body: () => void) => void;
}

/** A storage under test with the words that the tests are written in. Every verdict is checked for sense. */
export class Subject {
  readonly storage: Storage;
  /** Starts every key of this test and of no other. */
  readonly prefix: string;
  readonly #advance: StorageUnderTest["advance"];

  constructor(underTest: StorageUnderTest) {
    this.storage = underTest.storage;
    this.#advance = underTest.advance;
    this.prefix = `contract-${Math.random().toString(36).slice(2)}`;
  }

  async advance(ms: Milliseconds): Promise<void> {
    await this.#advance(ms);
  }

  claim(options: ClaimOptions): Claim {
    const { amount = 5, multiples = 1, unit = "minute", strategy, cost = 1 } = options;
    const { who = "client", prefix = "", role = "limit", parent } = options;
    const policy = createPolicy(new RateLimit(amount, multiples, unit), strategy);
    const key = `${this.prefix}${prefix}:{${who}}:${role}:${policy.id}`;
    return { policy, key, cost, role, parent };
  }

  /** A block of so many milliseconds that follows a refusal in the same list. */
  block(durationMs: Milliseconds): Claim {
    const key = `${this.prefix}:{client}:block`;
    return { policy: BLOCK_POLICY, key, cost: durationMs, role: "meta" };
  }

  /** Hits a list, all or nothing. */
  async hitAll(...claims: readonly Claim[]): Promise<readonly Verdict[]> {
    return sensible(claims, await this.storage.hit(claims, { mode: "all" }));
  }

  /** Hits a list, each on its own. */
  async hitEach(...claims: readonly Claim[]): Promise<readonly Verdict[]> {
    return sensible(claims, await this.storage.hit(claims, { mode: "each" }));
  }

  async hit(claim: Claim): Promise<Verdict> {
    return only(await this.hitAll(claim));
  }

  /** Hits so often, one after the other. */
  async hitTimes(count: number, claim: Claim): Promise<readonly Verdict[]> {
    const verdicts: Verdict[] = [];
    for (let i = 0; i < count; i++) verdicts.push(await this.hit(claim));
    return verdicts;
  }

  /** Hits so often at the same time. Gives how many were admitted. */
  async hitAtOnce(count: number, ...claims: readonly Claim[]): Promise<number> {
    const hits = Array.from({ length: count }, () => this.hitAll(...claims));
    const decided = await Promise.all(hits);
    return decided.filter((verdicts) => verdicts.every((verdict) => verdict.allowed)).length;
  }

  async testAll(...claims: readonly Claim[]): Promise<readonly Verdict[]> {
    return sensible(claims, await this.storage.test(claims));
  }

  async test(claim: Claim): Promise<Verdict> {
    return only(await this.testAll(claim));
  }

  async remaining(claim: Claim): Promise<number> {
    return (await this.test(claim)).remaining;
  }

  async refund(...charges: readonly Charge[]): Promise<void> {
    await this.storage.refund(charges);
  }

  async clear(...claims: readonly Claim[]): Promise<void> {
    await this.storage.clear(claims);
  }
}

/** Runs a test with a storage of its own, and closes it however the test ends. */
export async function withSubject(
  createStorage: CreateStorage,
  body: (subject: Subject) => Promise<void>,
): Promise<void> {
  const underTest = await createStorage();
  try {
    await body(new Subject(underTest));
  } finally {
    await underTest.close?.();
  }
}

/** Verdicts in their number, and each in itself possible. */
function sensible(claims: readonly Claim[], verdicts: readonly Verdict[]): readonly Verdict[] {
  expectSame(verdicts.length, claims.length, "one verdict for each claim");
  claims.forEach((claim, i) => {
    const verdict = verdicts[i];
    if (verdict !== undefined) expectSensible(claim, verdict);
  });
  return verdicts;
}

function expectSensible({ policy, role }: Claim, verdict: Verdict): void {
  const { allowed, remaining, resetAfterMs, retryAfterMs } = verdict;
  expectWithin(remaining, 0, policy.capacity, "remaining lies from 0 to the capacity");
  expectSame(Number.isInteger(remaining), true, "remaining is a whole number");
  expectWithin(resetAfterMs, 0, Number.MAX_SAFE_INTEGER, "resetAfterMs is a duration");
  // A meta claim that did not refuse now may say that it will: allowed, with a wait.
  if (role === "limit" || !allowed) {
    expectSame(retryAfterMs === 0, allowed, "retryAfterMs is 0 exactly when it is allowed");
  }
  expectWithin(retryAfterMs, 0, Number.POSITIVE_INFINITY, "retryAfterMs is a duration, or Infinity");
  expectSame(
    resetAfterMs === 0,
    remaining === policy.capacity,
    "resetAfterMs is 0 exactly when nothing is used",
  );
}

function only(verdicts: readonly Verdict[]): Verdict {
  const [verdict] = verdicts;
  if (verdict === undefined) throw new ContractViolation("one verdict for each claim", 0, 1);
  return verdict;
}
