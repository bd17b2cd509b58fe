import type { KeyPlace } from "../core/key.js";
import type { Claim } from "../core/storage.js";
import type { Policy } from "../core/strategy.js";
import { type Families, type Family, familyName, NO_FAMILY } from "./families.js";
import type { Fingerprint } from "./fingerprint.js";

/** What all keys of one place share: their half of the fingerprint, and their family. */
export interface Place {
  readonly low: number;
  readonly high: number;
  readonly head: string;
  readonly name: string;
  readonly policy: Policy;
  /** The last one known; without members it may have been replaced. */
  family: Family | undefined;
}

/** Places of claims that come without one. */
const MOST_PLACES_BY_TEXT = 1000;

/**
 * Finds a claim's place and fingerprint without joining or keeping its key.
 *
 * The fingerprint is the hash of the client's part xor that of the place, so a list of limits on one client
 * hashes it once. A claim that has only a `key` is taken apart at its braces: both kinds meet.
 */
export class Places {
  /** The fingerprint of the claim located last. */
  low = 0;
  high = 0;
  readonly #fingerprint: Fingerprint;
  readonly #families: Families;
  readonly #byKeyPlace = new WeakMap<KeyPlace, Place>();
  readonly #byText = new Map<string, Place>();
  #lastKeyPlace: KeyPlace | undefined;
  #lastPlace: Place | undefined;
  #lastOwner: string | undefined;
  #ownerLow = 0;
  #ownerHigh = 0;

  constructor(fingerprint: Fingerprint, families: Families) {
    this.#fingerprint = fingerprint;
    this.#families = families;
  }

  /** The claim's place; its fingerprint is in `low` and `high` then. Hot. */
  locate(claim: Claim): Place {
    const { owner, place } = claim;
    if (owner === undefined || place === undefined) return this.#locateByKey(claim);
    let known = this.#lastPlace;
    if (known === undefined || place !== this.#lastKeyPlace) known = this.#recall(place, claim.policy);
    this.#join(owner, known);
    return known;
  }

  /** The id of the place's family; one that no slot holds when it has no members. Hot. */
  familyId(place: Place): number {
    const { family } = place;
    if (family !== undefined && family.members > 0) return family.id;
    place.family = this.#families.named(place.name);
    return place.family?.id ?? NO_FAMILY;
  }

  /** A new member of the place's family. */
  join(place: Place): number {
    if (this.familyId(place) === NO_FAMILY) {
      place.family = this.#families.found(place.name, place.head, place.policy);
    }
    const { family } = place;
    if (family === undefined) return NO_FAMILY;
    family.members++;
    return family.id;
  }

  #recall(keyPlace: KeyPlace, policy: Policy): Place {
    let place = this.#byKeyPlace.get(keyPlace);
    if (place === undefined) {
      place = this.#make(keyPlace.text, policy);
      this.#byKeyPlace.set(keyPlace, place);
    }
    this.#lastKeyPlace = keyPlace;
    this.#lastPlace = place;
    return place;
  }

  #locateByKey({ key, policy }: Claim): Place {
    const open = key.indexOf("{") + 1;
    const close = key.indexOf("}", open);
    const hasOwner = open > 0 && close >= 0;
    const text = hasOwner ? key.slice(0, open) + key.slice(close) : "";
    const name = `${policy.id} ${text}`;
    let place = this.#byText.get(name);
    if (place === undefined) {
      if (this.#byText.size >= MOST_PLACES_BY_TEXT) this.#byText.clear();
      place = this.#make(text, policy);
      this.#byText.set(name, place);
    }
    this.#join(hasOwner ? key.slice(open, close) : key, place);
    return place;
  }

  #make(text: string, policy: Policy): Place {
    this.#fingerprint.hash(`${policy.id} ${text}`);
    const { low, high } = this.#fingerprint;
    const head = text.slice(0, text.indexOf("{") + 1);
    return { low, high, head, name: familyName(head, policy), policy, family: undefined };
  }

  #join(owner: string, place: Place): void {
    if (owner !== this.#lastOwner) {
      this.#fingerprint.hash(owner);
      this.#lastOwner = owner;
      this.#ownerLow = this.#fingerprint.low;
      this.#ownerHigh = this.#fingerprint.high;
    }
    this.low = this.#ownerLow ^ place.low;
    this.high = this.#ownerHigh ^ place.high;
  }
}
