import { sha256 } from "../core/digest.js";

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
