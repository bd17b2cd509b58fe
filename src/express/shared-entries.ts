import { KeyedClaim } from "../core/claim.js";
import type { Milliseconds } from "../core/clock.js";
import { addressKeyPart, escapeKeyPart, KeyPlace } from "../core/key.js";
import { BLOCK_POLICY } from "../core/policy.js";
import type { Claim } from "../core/storage.js";
import { bareAddress, type ListName } from "./client-list.js";
import type { LimiterCore } from "./limiter-core.js";

/** An entry is stored as a block: it is there until its time is over. */
const LISTED = { allow: "allowed", deny: "denied" } as const;

/** The stored form of an entry for an address or a key; `undefined` for a network, which is not shared. */
export function sharedEntry(
  core: LimiterCore,
  list: ListName,
  match: string,
  durationMs: Milliseconds,
): Claim | undefined {
  const address = bareAddress(match);
  if (address === undefined && bareAddress(match.split("/")[0] ?? "") !== undefined) return undefined;
  return sharedClaim(
    core,
    list,
    address === undefined ? escapeKeyPart(match) : addressKeyPart(address),
    durationMs,
  );
}

/** The claim that makes an entry, or asks for it. */
export function sharedClaim(core: LimiterCore, list: ListName, part: string, cost: number): Claim {
  const place = new KeyPlace(core.keyHead, LISTED[list], BLOCK_POLICY.id);
  return new KeyedClaim({
    policy: BLOCK_POLICY,
    place,
    owner: part,
    cost,
    role: "limit",
    who: part,
    scope: LISTED[list],
  });
}
