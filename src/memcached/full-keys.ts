import type { Claim } from "../core/storage.js";
import type { StorageInstant, Verdict } from "../core/strategy.js";

/** More than this are not remembered; the oldest goes. */
const MOST_REMEMBERED = 10_000;

/**
 * Keys that refused lately.
 *
 * A list with one of them is looked at before anything is charged: a client that goes on hammering costs one
 * reading trip, and disturbs no other counter. Only a hint: decisions are made on what Memcached says.
 */
export class FullKeys {
  readonly #until = new Map<string, StorageInstant>();

  get size(): number {
    return this.#until.size;
  }

  /** Might one of them refuse? */
  holdsOneOf(claims: readonly Claim[], now: StorageInstant): boolean {
    for (const { key } of claims) {
      const until = this.#until.get(key);
      if (until === undefined) continue;
      if (until > now) return true;
      this.#until.delete(key);
    }
    return false;
  }

  /** Remembers a refusal, and a meta claim's word that it will refuse; forgets it after an admission. */
  learn(claim: Claim, { retryAfterMs }: Verdict, now: StorageInstant): void {
    if (retryAfterMs === 0) {
      if (this.#until.size > 0) this.#until.delete(claim.key);
    } else if (Number.isFinite(retryAfterMs)) {
      if (this.#until.size >= MOST_REMEMBERED) this.#forgetOldest();
      this.#until.set(claim.key, now + retryAfterMs);
    }
  }

  forget(claim: Claim): void {
    this.#until.delete(claim.key);
  }

  #forgetOldest(): void {
    for (const key of this.#until.keys()) {
      this.#until.delete(key);
      return;
    }
  }
}
