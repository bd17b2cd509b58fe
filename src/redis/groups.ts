import type { Claim } from "../core/storage.js";
import { hashTag } from "./hash-slot.js";

/** How long parts of a stored value are: its head, and each entry, which starts with the limit's id. */
export const HEADER_BYTES = 10;
export const ENTRY_BYTES = 30;
export const ID_BYTES = 6;

/** Each of the two halves of an id has so many values. */
const HALF = 2 ** 24;

/**
 * The stored key that holds a claim's counter, together with all other limits of the same client and counter.
 *
 * It goes by the key's text alone: what stands before the policy. A key without such a part, or one that
 * would lose what a Cluster places it by, is a group of its own.
 */
export function groupKey(claim: Claim): string {
  const owner = claim.place && claim.owner;
  if (claim.place !== undefined && owner !== undefined) return claim.place.counterKeyOf(owner);
  const { key } = claim;
  return key.slice(0, groupLength(key));
}

/** The key that a claim's counter is stored at: its group's, or its own where it is a log. */
export function storedKey(claim: Claim): string {
  return claim.policy.strategy.name === "moving-window" ? claim.key : groupKey(claim);
}

/** Names a claim's entry in its group: its policy. */
export function entryName(claim: Claim): string {
  if (claim.place !== undefined && isOwned(claim)) return claim.place.policyId;
  const { key } = claim;
  return key.slice(groupLength(key));
}

/** Do both claims' counters lie in one group? Hot: puts no keys together where it can be told without. */
export function isSameGroup(a: Claim, b: Claim): boolean {
  if (a === b) return true;
  if (a.place === undefined || b.place === undefined || !isOwned(a) || !isOwned(b)) {
    return groupKey(a) === groupKey(b);
  }
  return (a.place === b.place || a.place.counterText === b.place.counterText) && isSameOwner(a, b);
}

/** Where a client is told, nobody has to escape it yet. */
function isOwned(claim: Claim): boolean {
  return claim.client !== undefined || claim.owner !== undefined;
}

function isSameOwner(a: Claim, b: Claim): boolean {
  return a.client !== undefined && b.client !== undefined ? a.client === b.client : a.owner === b.owner;
}

/** The number by which an entry is known in its group: 48 bits, so that no two limits of a counter share one. */
export function entryId(name: string): number {
  let high = 0x2545f491;
  let low = 0x9e3779b9;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    high = Math.imul(high ^ code, 0x85ebca6b);
    high ^= high >>> 13;
    low = Math.imul(low + code, 0xc2b2ae35);
    low ^= low >>> 16;
  }
  return half(high, 0xc2b2ae3d) * HALF + half(low, 0x27d4eb2f);
}

/** Spreads what the last characters did over all bits, and keeps the upper ones. */
function half(bits: number, factor: number): number {
  const spread = Math.imul(bits ^ (bits >>> 15), factor);
  return (spread ^ (spread >>> 13)) >>> 8;
}

/** How much of a key names its group. */
function groupLength(key: string): number {
  const end = key.lastIndexOf(":") + 1;
  const keepsTag = hashTag(key) !== key && end > key.lastIndexOf("}");
  return keepsTag ? end : key.length;
}
