import { isHashedPart, type KeyPlace } from "../core/key.js";
import { BLOCK_POLICY } from "../core/policy.js";
import type { Claim } from "../core/storage.js";
import type { Policy } from "../core/strategy.js";
import { type Families, type Family, familyName, NO_FAMILY } from "./families.js";
import type { Fingerprint } from "./fingerprint.js";

/** What all keys of one place share: their half of the fingerprint, and their family. */
export class Place {
  readonly policy: Policy;
  readonly low: number;
  readonly high: number;
  readonly head: string;
  readonly name: string;
  /** Whose place it is: several storages may know the same `KeyPlace`. */
  readonly keeper: Places;
  /** The last one known; without members it may have been replaced. */
  family: Family | undefined = undefined;

  constructor(keeper: Places, fingerprint: Fingerprint, text: string, policy: Policy) {
    fingerprint.hash(`${policy.id} ${text}`);
    this.policy = policy;
    this.low = fingerprint.low;
    this.high = fingerprint.high;
    this.head = text.slice(0, text.indexOf("{") + 1);
    this.name = familyName(this.head, policy);
    this.keeper = keeper;
  }
}

/** Where a claim's counter is. */
export class Spot {
  place: Place;
  /** The fingerprint. */
  low = 0;
  high = 0;
  /** The slot, or the complement of one that the counter may have. Good until a counter is seated. */
  slot = 0;

  constructor(place: Place) {
    this.place = place;
  }
}

/** Places of claims that come without one. */
const MOST_PLACES_BY_TEXT = 1000;

/**
 * Finds a claim's place and fingerprint without joining, escaping or keeping its key.
 *
 * The fingerprint is the hash of the client's part xor that of the place, so a list of limits on one client
 * hashes it once. A claim that has only a `key` is taken apart at its braces: both kinds meet.
 */
export class Places {
  readonly #fingerprint: Fingerprint;
  readonly #families: Families;
  readonly #byKeyPlace = new WeakMap<KeyPlace, Place>();
  readonly #byText = new Map<string, Place>();
  /** The client's part that was hashed last; is it its own escaped form? */
  #lastOwner: string | undefined;
  #isPlain = false;
  #ownerLow = 0;
  #ownerHigh = 0;
  readonly #nowhere: Place;

  constructor(fingerprint: Fingerprint, families: Families) {
    this.#fingerprint = fingerprint;
    this.#families = families;
    this.#nowhere = new Place(this, fingerprint, "", BLOCK_POLICY);
  }

  /** A spot that no claim was located at yet. */
  spot(): Spot {
    return new Spot(this.#nowhere);
  }

  /** Puts the claim's place and fingerprint into the spot. Hot. */
  locate(claim: Claim, spot: Spot): void {
    const { place, client } = claim;
    const owner = client ?? claim.owner;
    if (place === undefined || owner === undefined) {
      this.#locateByKey(claim, spot);
      return;
    }
    const { record } = place;
    spot.place =
      record instanceof Place && record.keeper === this ? record : this.#recall(place, claim.policy);
    if (client === undefined) this.#hashOwner(owner);
    else this.#hashClient(client, claim);
    this.#join(spot);
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
      place = new Place(this, this.#fingerprint, keyPlace.text, policy);
      this.#byKeyPlace.set(keyPlace, place);
    }
    keyPlace.record = place;
    return place;
  }

  #locateByKey({ key, policy }: Claim, spot: Spot): void {
    const open = key.indexOf("{") + 1;
    const close = key.indexOf("}", open);
    const hasOwner = open > 0 && close >= 0;
    const text = hasOwner ? key.slice(0, open) + key.slice(close) : "";
    const name = `${policy.id} ${text}`;
    let place = this.#byText.get(name);
    if (place === undefined) {
      if (this.#byText.size >= MOST_PLACES_BY_TEXT) this.#byText.clear();
      place = new Place(this, this.#fingerprint, text, policy);
      this.#byText.set(name, place);
    }
    spot.place = place;
    this.#hashOwner(hasOwner ? key.slice(open, close) : key);
    this.#join(spot);
  }

  #hashOwner(owner: string): void {
    if (owner === this.#lastOwner) return;
    this.#fingerprint.hash(owner);
    this.#note(owner, false);
  }

  /** A text that needs no escape is its own escaped form, and only its hash tells whether it does. */
  #hashClient(client: string, claim: Claim): void {
    if (this.#isPlain && client === this.#lastOwner) return;
    const isHashed = isHashedPart(client);
    if (!isHashed) this.#fingerprint.hash(client);
    if (isHashed || this.#fingerprint.isEscaped) this.#hashOwner(claim.owner ?? client);
    else this.#note(client, true);
  }

  #note(owner: string, isPlain: boolean): void {
    this.#lastOwner = owner;
    this.#isPlain = isPlain;
    this.#ownerLow = this.#fingerprint.low;
    this.#ownerHigh = this.#fingerprint.high;
  }

  #join(spot: Spot): void {
    spot.low = this.#ownerLow ^ spot.place.low;
    spot.high = this.#ownerHigh ^ spot.place.high;
  }
}
