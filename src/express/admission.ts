import type { Milliseconds } from "../core/clock.js";
import { StorageError } from "../core/errors.js";
import { addressKeyPart, escapeKeyPart } from "../core/key.js";
import type { Claim } from "../core/storage.js";
import type { Verdict } from "../core/strategy.js";
import type { MaybePromise } from "../core/when-ready.js";
import { ClientDenied } from "./client-denied.js";
import { bareAddress, type ListedClient } from "./client-list.js";
import { identify } from "./collect-claims.js";
import { rawAddressOf } from "./key-functions.js";
import type { LimitedRequest } from "./limited-request.js";
import type { LimiterCore } from "./limiter-core.js";
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
  const shared = areShared ? await askShared(core, client) : undefined;
  if (shared?.isAllowed === true || (await allow.matches(client))) return "unlimited";
  const who = client.address ?? "";
  if (shared !== undefined && shared.deniedMs > 0) return new ClientDenied(who, shared.deniedMs);
  return (await deny.matches(client)) ? new ClientDenied(who) : "limited";
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

/** Entries that other processes have made, by address and by key, in one trip. */
async function askShared(
  core: LimiterCore,
  client: ListedClient,
): Promise<{ isAllowed: boolean; deniedMs: Milliseconds }> {
  const parts = [escapeKeyPart(await client.key())];
  if (client.address !== undefined) parts.push(addressKeyPart(client.address));
  const claims = parts.flatMap((part) => [
    sharedClaim(core, "allow", part, 1),
    sharedClaim(core, "deny", part, 1),
  ]);
  const verdicts = await testQuietly(core, claims);
  const waits = (isWanted: (index: number) => boolean) =>
    Math.max(0, ...verdicts.map((verdict: Verdict, i) => (isWanted(i) ? verdict.retryAfterMs : 0)));
  return { isAllowed: waits((i) => i % 2 === 0) > 0, deniedMs: waits((i) => i % 2 === 1) };
}

/** A storage that is lost knows of no entries: the lists of this process go on. */
async function testQuietly(core: LimiterCore, claims: readonly Claim[]): Promise<readonly Verdict[]> {
  try {
    return await core.guard.test(claims);
  } catch (error) {
    if (error instanceof StorageError) return [];
    throw error;
  }
}
