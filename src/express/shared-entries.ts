import { KeyedClaim } from "../core/claim.js";
import type { Milliseconds } from "../core/clock.js";
import { addressKeyPart, escapeKeyPart, KeyPlace } from "../core/key.js";
import { BLOCK_POLICY } from "../core/policy.js";
import type { Claim } from "../core/storage.js";
import type { ListName } from "./client-list.js";
import type { LimiterCore } from "./limiter-core.js";
import type { ListMatch } from "./list-match.js";

/** An entry is stored as a block: it is there until its time is over. */
const LISTED = { allow: "allowed", deny: "denied" } as const;

/** The stored form of an entry for an address or a key. */
export function sharedEntry(
  core: LimiterCore,
  list: ListName,
  { kind, text }: ListMatch,
  durationMs: Milliseconds,
): Claim {
  return sharedClaim(core, list, kind === "address" ? addressKeyPart(text) : escapeKeyPart(text), durationMs);
}

/** The claim that makes an entry, or asks for it. */
export function sharedClaim(core: LimiterCore, list: ListName, part: string, cost: number): Claim {
  // Under the limiter's prefix, but not where `reset` forgets counters.
  const head = core.keyHead.replace(/\{$/, "lists:{");
  const place = new KeyPlace(head, LISTED[list], BLOCK_POLICY.id);
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
