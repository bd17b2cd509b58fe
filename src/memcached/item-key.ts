import { sha256 } from "../core/digest.js";
import type { KeyPlace } from "../core/key.js";
import type { Claim } from "../core/storage.js";
import { hashOfTag, hashText } from "./connection/hash-text.js";

/** The longest key that Memcached takes has 250 bytes; a window's number needs up to 17 of them. */
const LONGEST_KEY = 232;

/** Printable ASCII but `$`: the package `memcached` writes keys by `String.replace`, where `$&` means something. */
const SAFE = /^[\x21-\x23\x25-\x7e]+$/;

/**
 * A claim's key as the protocol can take it: itself, or `#` and its SHA-256 when it is long or holds anything
 * but printable ASCII, or a `$`. No claim's own key starts with `#` and 64 hexadecimal digits.
 */
export function itemKey(key: string): string {
  return key.length <= LONGEST_KEY && SAFE.test(key) ? key : `#${sha256(key)}`;
}

/** The same for all claims of one client, in every process: a number from 0 to 2^32 - 1. */
export function clientHash(claim: Claim): number {
  const { owner } = claim;
  return owner === undefined ? hashOfTag(claim.key) : hashText(owner);
}

/** {@link itemKey} of one policy's claims: where a place is known to be safe, only the client's part is read. */
export class ItemKeys {
  #safePlace: KeyPlace | undefined;

  /** Hot. */
  of(claim: Claim): string {
    const { place, owner } = claim;
    if (place === undefined || owner === undefined) return itemKey(claim.key);
    const key = place.keyOf(owner);
    if (place === this.#safePlace && key.length <= LONGEST_KEY && SAFE.test(owner)) return key;
    const stored = itemKey(key);
    if (stored === key) this.#safePlace = place;
    return stored;
  }
}
