import type { Milliseconds } from "../core/clock.js";
import type { Claim } from "../core/storage.js";
import type { Policy, StorageInstant } from "../core/strategy.js";
import { clientHash, ItemKeys } from "./item-key.js";

/** One window of one key. */
export interface Window {
  /** Where its counter is stored. */
  readonly key: string;
  /** The key's own part of the stored keys of all its windows. */
  readonly base: string;
  readonly number: number;
  /** From and including. */
  readonly startsAt: StorageInstant;
  /** Up to and without. */
  readonly endsAt: StorageInstant;
}

/** The windows of one policy. They follow each other without a gap; when they turn differs between clients. */
export class Windows {
  readonly #windowMs: Milliseconds;
  readonly #keys = new ItemKeys();
  /** Numbers of windows, and their texts: at any time the keys of one policy are in one of two windows. */
  readonly #numbers: number[] = [Number.NaN, Number.NaN];
  readonly #texts: string[] = ["", ""];

  constructor(policy: Policy) {
    this.#windowMs = policy.limit.windowMs;
  }

  /** The window of the claim's key at that instant. */
  at(claim: Claim, instant: StorageInstant): Window {
    const windowMs = this.#windowMs;
    const phaseMs = Math.floor((clientHash(claim) / 2 ** 32) * windowMs);
    const number = Math.floor((instant + phaseMs) / windowMs);
    const startsAt = number * windowMs - phaseMs;
    const base = this.#keys.of(claim);
    return { key: base + this.#numberText(number), base, number, startsAt, endsAt: startsAt + windowMs };
  }

  #numberText(number: number): string {
    const slot = number & 1;
    const known = this.#texts[slot];
    if (this.#numbers[slot] === number && known !== undefined) return known;
    const text = `#${number}`;
    this.#numbers[slot] = number;
    this.#texts[slot] = text;
    return text;
  }
}

/** Where the counter of the window before is stored. */
export function previousKey({ base, number }: Window): string {
  return `${base}#${number - 1}`;
}
