import type { Milliseconds } from "../core/clock.js";
import { parseDuration } from "../core/duration.js";
import { UNIT_MS } from "../core/rate-limit.js";
import { checkOptionNames } from "./check-options.js";
import { ClientList, type ListEntry, type ListName, type Lists } from "./client-list.js";
import type { LimiterCore } from "./limiter-core.js";
import { parseListMatch } from "./list-match.js";
import { sharedEntry } from "./shared-entries.js";

/** How long an entry holds. */
export interface ListOptions {
  /** `"1h"` or milliseconds. @default until it is removed */
  readonly for?: string | Milliseconds | undefined;
}

/** How long an entry without an end is stored: nothing in a storage lives for ever. */
const LONGEST_ENTRY_MS = 10 * UNIT_MS.year;

/**
 * Puts an address, a network or a key on a list. Where lists are shared the storage has the last word, for all
 * processes; networks, which it could not look up, are this one's alone.
 */
export async function enlist(
  core: LimiterCore,
  list: ListName,
  text: string,
  options: ListOptions,
): Promise<void> {
  const where = `${list}()`;
  checkOptionNames(where, options, ["for"]);
  const match = parseListMatch(where, text);
  const durationMs = options.for === undefined ? undefined : parseDuration(options.for, "for");
  const until = durationMs === undefined ? undefined : core.clock.now() + durationMs;
  const { areShared, told } = core.lists;
  if (!areShared || match.kind === "network") {
    core.lists[list].add(match, until);
    return;
  }
  told[list].add(match, until);
  const claim = sharedEntry(core, list, match, durationMs ?? LONGEST_ENTRY_MS);
  // A block is never shortened by another, and a running one refuses the next: the old entry goes first.
  await core.guard.clear([claim]);
  await core.guard.hit([claim], "all");
}

/** Takes an entry off both lists. */
export async function unlist(core: LimiterCore, text: string): Promise<void> {
  const match = parseListMatch("unlist()", text);
  const { allow, deny, areShared, told } = core.lists;
  for (const list of [allow, deny, told.allow, told.deny]) list.remove(match);
  if (!areShared || match.kind === "network") return;
  await core.guard.clear([sharedEntry(core, "allow", match, 1), sharedEntry(core, "deny", match, 1)]);
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
    told: { allow: new ClientList("allow()", [], clock), deny: new ClientList("deny()", [], clock) },
  };
}
