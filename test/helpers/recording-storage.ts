import { type Charge, type Claim, type HitOptions, MemoryStorage, type Storage } from "express-limits";

/** A memory storage that remembers which keys it was asked to charge, once each, in order. */
export class RecordingStorage implements Storage {
  readonly name = "recording";
  readonly #inner = new MemoryStorage();
  readonly strategies = this.#inner.strategies;
  readonly keys: string[] = [];
  /** How many keys each hit was given: one trip each. */
  readonly trips: number[] = [];
  hit(claims: readonly Claim[], options: HitOptions) {
    this.trips.push(claims.length);
    for (const { key } of claims) if (!this.keys.includes(key)) this.keys.push(key);
    return this.#inner.hit(claims, options);
  }

  test(claims: readonly Claim[]) {
    return this.#inner.test(claims);
  }

  refund(charges: readonly Charge[]) {
    this.#inner.refund(charges);
  }

  clear(claims: readonly Claim[]) {
    this.#inner.clear(claims);
  }

  reset(prefix: string) {
    this.#inner.reset(prefix);
  }

  check() {
    return true;
  }

  useClock(clock: { now(): number }) {
    this.#inner.useClock(clock);
  }
}
