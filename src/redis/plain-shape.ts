import type { Claim } from "../core/storage.js";
import { ENTRY_BYTES, entryId, entryName, groupKey, HEADER_BYTES, ID_BYTES, isSameGroup } from "./groups.js";
import { PLAIN_READERS, type PlainReader } from "./plain-answers.js";
import type { PlainStrategy } from "./scripts.js";
import { STRATEGY_NUMBERS } from "./wire.js";

/** What hits have in common that differ in their clients only. */
export class PlainShape {
  readonly #claims: readonly Claim[];
  /** Of each claim: the first one in its group. */
  readonly #leads: readonly number[];
  readonly #groupStarts: readonly number[];
  /** What the script is told: numbers, separated by commas. */
  readonly text: string;
  /** Of each claim: how its entry reads. */
  readonly readers: readonly PlainReader[];
  /** Of each claim: where in the call's answer the numbers of its entry start. */
  readonly offsets: readonly number[];
  /** How long the call's answer is: a stored value for each group. */
  readonly answerBytes: number;

  constructor(claims: readonly Claim[]) {
    this.#claims = claims;
    this.#leads = claims.map((claim) => claims.findIndex((other) => isSameGroup(other, claim)));
    this.#groupStarts = [...new Set(this.#leads)];
    this.readers = claims.map(({ policy }) => PLAIN_READERS[policy.strategy.name as PlainStrategy]);
    this.text = this.#text();
    this.offsets = this.#offsets();
    this.answerBytes = HEADER_BYTES * this.#groupStarts.length + ENTRY_BYTES * claims.length;
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

  /** The places of a group's claims in the list. */
  #placesIn(groupStart: number): number[] {
    return [...this.#leads.keys()].filter((place) => this.#leads[place] === groupStart);
  }

  #offsets(): number[] {
    const offsets: number[] = [];
    let at = 0;
    for (const start of this.#groupStarts) {
      at += HEADER_BYTES;
      for (const place of this.#placesIn(start)) {
        offsets[place] = at + ID_BYTES;
        at += ENTRY_BYTES;
      }
    }
    return offsets;
  }

  #text(): string {
    const groups = this.#groupStarts.map((start) => {
      const places = this.#placesIn(start);
      return [places.length, ...places.map((place) => claimText(this.#claims[place] as Claim))];
    });
    return `${groups.length},${groups}`;
  }
}

function claimText(claim: Claim): string {
  const { limit, strategy, capacity, ticksPerMs, ticksPerToken } = claim.policy;
  const numbers = [limit.amount, limit.windowMs, capacity, ticksPerMs, ticksPerToken, claim.cost];
  return `${entryId(entryName(claim))},${STRATEGY_NUMBERS[strategy.name]},${numbers}`;
}

/** Shapes that are remembered. */
const MOST_SHAPES = 64;

/** The shapes of the last calls: most of what is asked has been asked before. */
export class PlainShapes {
  #shapes: PlainShape[] = [];

  /** The shape of these claims. The usual list has the shape of the one before it. */
  of(claims: readonly Claim[]): PlainShape {
    for (let i = this.#shapes.length - 1; i >= 0; i--) {
      const shape = this.#shapes[i] as PlainShape;
      if (shape.fits(claims)) return shape;
    }
    if (this.#shapes.length >= MOST_SHAPES) this.#shapes.splice(0, MOST_SHAPES / 2);
    const shape = new PlainShape(claims);
    this.#shapes.push(shape);
    return shape;
  }
}
