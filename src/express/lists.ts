import type { Milliseconds } from "../core/clock.js";
import { parseDuration } from "../core/duration.js";
import { UNIT_MS } from "../core/rate-limit.js";
import { ClientList, type ListEntry, type ListName, type Lists } from "./client-list.js";
import type { LimiterCore } from "./limiter-core.js";
import { sharedEntry } from "./shared-entries.js";

/** How long an entry holds. */
export interface ListOptions {
  /** `"1h"` or milliseconds. @default until it is removed */
  readonly for?: string | Milliseconds | undefined;
}

/** How long an entry without an end is stored: nothing in a storage lives for ever. */
const LONGEST_ENTRY_MS = 10 * UNIT_MS.year;

/** Puts an address, a network or a key on a list, here and, where lists are shared, for all processes. */
export async function enlist(
  core: LimiterCore,
  list: ListName,
  match: string,
  options: ListOptions,
): Promise<void> {
  const durationMs = options.for === undefined ? undefined : parseDuration(options.for, "for");
  core.lists[list].add(match, durationMs === undefined ? undefined : core.clock.now() + durationMs);
  const claim = core.lists.areShared
    ? sharedEntry(core, list, match, durationMs ?? LONGEST_ENTRY_MS)
    : undefined;
  if (claim === undefined) return;
  await core.guard.clear([claim]);
  await core.guard.hit([claim], "all");
}

/** Takes an entry off both lists. */
export async function unlist(core: LimiterCore, match: string): Promise<void> {
  core.lists.allow.remove(match);
  core.lists.deny.remove(match);
  const claims = core.lists.areShared
    ? [sharedEntry(core, "allow", match, 1), sharedEntry(core, "deny", match, 1)]
    : [];
  await core.guard.clear(claims.filter((claim) => claim !== undefined));
}

/** The lists that options describe. */
export function createLists(
  allowList: readonly ListEntry[] | undefined,
  denyList: readonly ListEntry[] | undefined,
  areShared: boolean,
  clock: LimiterCore["clock"],
): Lists {
  return {
    allow: new ClientList("allowList", allowList ?? [], clock),
    deny: new ClientList("denyList", denyList ?? [], clock),
    areShared,
  };
}
