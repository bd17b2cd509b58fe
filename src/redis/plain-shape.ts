import type { Claim } from "../core/storage.js";
import { entryId, entryName, groupKey, isSameGroup } from "./groups.js";
import { PLAIN_READERS, type PlainReader } from "./plain-answers.js";
import type { PlainStrategy } from "./scripts.js";
import { STRATEGY_NUMBERS } from "./wire.js";

/** What hits have in common that differ in their clients only. */
export class PlainShape {
  readonly #claims: readonly Claim[];
  /** Of each claim: the first one in its group. */
  readonly #leads: readonly number[];
  readonly #groupStarts: readonly number[];
  /** Of each claim: how its answer reads. */
  readonly readers: readonly PlainReader[];

  constructor(claims: readonly Claim[]) {
    this.#claims = claims;
    this.#leads = claims.map((claim) => claims.findIndex((other) => isSameGroup(other, claim)));
    this.#groupStarts = [...new Set(this.#leads)];
    this.readers = claims.map(({ policy }) => PLAIN_READERS[policy.strategy.name as PlainStrategy]);
  }

  /** Hot: most lists are made of the same policies as the one before. */
  fits(claims: readonly Claim[]): boolean {
    const own = this.#claims;
    if (claims.length !== own.length) return false;
    for (let i = 0; i < own.length; i++) {
      const one = own[i] as Claim;
      const other = claims[i] as Claim;
      if (one.policy !== other.policy || one.cost !== other.cost) return false;
      if (entryName(one) !== entryName(other)) return false;
      const lead = this.#leads[i] as number;
      if (lead !== i && !isSameGroup(claims[lead] as Claim, other)) return false;
    }
    return true;
  }

  /** Adds the keys of a call's groups. Two of them may be one. */
  addKeys(claims: readonly Claim[], keys: string[]): void {
    for (let i = 0; i < this.#groupStarts.length; i++) {
      keys.push(groupKey(claims[this.#groupStarts[i] as number] as Claim));
    }
  }

  /** What the script is told. */
  numbers(): readonly number[] {
    const claims = this.#claims.flatMap((claim, i) => {
      const { policy, cost } = claim;
      const { limit, strategy, capacity, ticksPerMs, ticksPerToken } = policy;
      return [
        this.#groupStarts.indexOf(this.#leads[i] as number),
        entryId(entryName(claim)),
        STRATEGY_NUMBERS[strategy.name],
        limit.amount,
        limit.windowMs,
        capacity,
        ticksPerMs,
        ticksPerToken,
        cost,
      ];
    });
    return [this.#claims.length, this.#groupStarts.length, ...claims];
  }
}
