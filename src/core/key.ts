import { sha256 } from "./digest.js";

/** Parts longer than this are stored as their hash. */
const LONGEST_PART = 120;

/** Marks a hashed part, and an address; both are escaped where a text starts with or holds them. */
const HASH_MARK = "#";
const ADDRESS_MARK = "@";

/** By code below 256: 1 for characters that a key part holds an escape for. All codes from 256 on are escaped, too. */
export const ESCAPED_CODES: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) =>
  isUnsafe(code) ? 1 : 0,
);

/**
 * A part of a stored key: printable ASCII, without blank, brace, `%`, `#` and `@`, at most 120 characters.
 *
 * Different texts give different parts: unsafe characters become `%` and four hexadecimal digits, long
 * results `#` and a SHA-256. Costs one pass and no allocation for a text that needs neither.
 */
export function escapeKeyPart(text: string): string {
  if (text.length > LONGEST_PART) return hashed(text);
  let unsafe = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    unsafe |= (ESCAPED_CODES[code & 0xff] ?? 0) | (code >> 8);
  }
  return unsafe === 0 ? text : escaped(text);
}

/** Is a text so long that only its hash is stored? */
export function isHashedPart(text: string): boolean {
  return text.length > LONGEST_PART;
}

/** The part that stands for a network address, which no client's own key can be mistaken for. */
export function addressKeyPart(address: string): string {
  return ADDRESS_MARK + address;
}

/**
 * All of a stored key but the client: made once for each counter and policy, and the same object wherever that
 * counter is meant. A whole key is `prefix:{owner}:counter:policy`, each part escaped by the caller.
 */
export class KeyPlace {
  /** Names the place: two places are one exactly when their texts are the same. */
  readonly text: string;
  /** Names the counter: its places have this in common, and differ in their policies. */
  readonly counterText: string;
  /** The last part of each key. */
  readonly policyId: string;
  /** Left here by the storage that met this place last, so that it finds what it knows of it without a search. */
  record: object | undefined = undefined;
  readonly #head: string;
  readonly #counterTail: string;
  readonly #tail: string;

  constructor(head: string, counter: string, policyId: string) {
    this.#head = head;
    this.#counterTail = `}:${counter}:`;
    this.#tail = this.#counterTail + policyId;
    this.text = head + this.#tail;
    this.counterText = head + this.#counterTail;
    this.policyId = policyId;
  }

  /** The whole key for one client. */
  keyOf(owner: string): string {
    return this.#head + owner + this.#tail;
  }

  /** The same up to the policy: what all keys of one client and counter start with, and no whole key is. */
  counterKeyOf(owner: string): string {
    return this.#head + owner + this.#counterTail;
  }
}

/** The start of every key under a prefix. */
export function keyHead(prefix: string): string {
  return `${escapeKeyPart(prefix)}:{`;
}

function isUnsafe(code: number): boolean {
  return (
    code <= 0x20 ||
    code >= 0x7f ||
    code === 0x25 || // %
    code === 0x7b || // {
    code === 0x7d || // }
    code === 0x23 || // #
    code === 0x40 // @
  );
}

function escaped(text: string): string {
  let part = "";
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    part += isUnsafe(code) ? `%${code.toString(16).padStart(4, "0")}` : text.charAt(i);
  }
  return part.length > LONGEST_PART ? hashed(text) : part;
}

function hashed(text: string): string {
  return HASH_MARK + sha256(text).slice(0, 40);
}
