import type { Milliseconds } from "../core/clock.js";
import { StorageError } from "../core/errors.js";
import { addressKeyPart, escapeKeyPart } from "../core/key.js";
import type { Claim } from "../core/storage.js";
import type { Verdict } from "../core/strategy.js";
import type { MaybePromise } from "../core/when-ready.js";
import { ClientDenied } from "./client-denied.js";
import type { ClientList, ListedClient } from "./client-list.js";
import { identify } from "./collect-claims.js";
import { rawAddressOf } from "./key-functions.js";
import type { LimitedRequest } from "./limited-request.js";
import type { LimiterCore } from "./limiter-core.js";
import { bareAddress } from "./list-match.js";
import type { Admission } from "./request-state.js";
import { sharedClaim } from "./shared-entries.js";

/** Request filters and lists, asked once for a request. Costs nothing where there are none. */
export function admit(request: LimitedRequest): MaybePromise<Admission> {
  const { core, state } = request;
  if (state.admission !== undefined) return state.admission;
  const { allow, deny, areShared } = core.lists;
  if (core.filters.length === 0 && !areShared && allow.isEmpty && deny.isEmpty) return "limited";
  return ask(request).then((admission) => {
    state.admission = admission;
    return admission;
  });
}

async function ask({ core, req, res }: LimitedRequest): Promise<Admission> {
  for (const filter of core.filters) if (await filter(req, res)) return "unlimited";
  const client = clientOf(core, req, res);
  const { allow, deny, areShared } = core.lists;
  const shared = areShared ? await askShared(core, client) : NOT_LISTED;
  if (shared.isAllowed || (await allow.listedUntil(client)) !== undefined) return "unlimited";
  const deniedMs = shared.deniedMs > 0 ? shared.deniedMs : await untilNow(core, deny, client);
  return deniedMs > 0 ? new ClientDenied(client.address ?? "", deniedMs) : "limited";
}

async function untilNow(core: LimiterCore, list: ClientList, client: ListedClient): Promise<Milliseconds> {
  const until = await list.listedUntil(client);
  return until === undefined ? 0 : until - core.clock.now();
}

function clientOf(core: LimiterCore, req: LimitedRequest["req"], res: LimitedRequest["res"]): ListedClient {
  let key: Promise<string> | undefined;
  const ask = async () => identify({ countsAddresses: false }, await core.keyFunc(req, res), req).key;
  return {
    req,
    res,
    address: bareAddress(rawAddressOf(req) ?? ""),
    key: () => {
      key ??= ask();
      return key;
    },
  };
}

/** What shared lists say of a client. */
interface SharedLists {
  readonly isAllowed: boolean;
  /** 0 when it is not denied. */
  readonly deniedMs: Milliseconds;
}

const NOT_LISTED: SharedLists = { isAllowed: false, deniedMs: 0 };

/** Entries that any process has made, by address and by key, in one trip. */
async function askShared(core: LimiterCore, client: ListedClient): Promise<SharedLists> {
  const parts = [escapeKeyPart(await client.key())];
  if (client.address !== undefined) parts.push(addressKeyPart(client.address));
  const claims = parts.flatMap((part) => [
    sharedClaim(core, "allow", part, 1),
    sharedClaim(core, "deny", part, 1),
  ]);
  const verdicts = await testQuietly(core, claims);
  if (verdicts === undefined || core.guard.isLost) return askTold(core, client);
  const waits = (isWanted: (index: number) => boolean) =>
    Math.max(0, ...verdicts.map((verdict: Verdict, i) => (isWanted(i) ? verdict.retryAfterMs : 0)));
  return { isAllowed: waits((i) => i % 2 === 0) > 0, deniedMs: waits((i) => i % 2 === 1) };
}

/** A storage that is lost knows of no entries: what this process told it holds on. */
async function askTold(core: LimiterCore, client: ListedClient): Promise<SharedLists> {
  const { allow, deny } = core.lists.told;
  const isAllowed = (await allow.listedUntil(client)) !== undefined;
  return { isAllowed, deniedMs: await untilNow(core, deny, client) };
}

async function testQuietly(
  core: LimiterCore,
  claims: readonly Claim[],
): Promise<readonly Verdict[] | undefined> {
  try {
    return await core.guard.test(claims);
  } catch (error) {
    if (error instanceof StorageError) return undefined;
    throw error;
  }
}
