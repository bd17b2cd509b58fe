import type { IncomingMessage } from "node:http";
import type { Request, Response } from "express";
import { KeyedClaim } from "../core/claim.js";
import type { LimitDecision, NamedClaim } from "../core/decision.js";
import { limitDecision } from "../core/decision.js";
import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";
import { addressKeyPart, escapeKeyPart } from "../core/key.js";
import { BLOCK_POLICY } from "../core/policy.js";
import type { MaybePromise } from "../core/when-ready.js";
import { canonicalAddress } from "./address.js";
import { checkOptionNames } from "./check-options.js";
import { identify } from "./collect-claims.js";
import { ipv6SubnetOf, type KeyFunction } from "./key-functions.js";
import type { LimiterCore } from "./limiter-core.js";
import type { Identity } from "./request-state.js";
import type { SeenCounter } from "./seen-counters.js";

/** Which counters of a client are meant. */
export interface CounterFilter {
  /** Only counters of this scope, as decisions name it: `"POST /login"`, a shared scope. @default all */
  readonly scope?: string | undefined;
}

/** A client: what the key function returned, an address in any spelling, or one of its requests. */
export type Client = string | number | bigint | IncomingMessage;

/** The claims on every known counter of a client. Counters are known once this process has met their route. */
export async function claimsOf(
  core: LimiterCore,
  client: Client,
  filter: CounterFilter,
  where: string,
): Promise<NamedClaim[]> {
  checkOptionNames(where, filter, ["scope"]);
  const identities = identitiesOf(where, client);
  const claims = new Map<string, NamedClaim>();
  for (const seen of core.seen.all()) {
    if (filter.scope !== undefined && seen.counter.ofScope !== filter.scope) continue;
    for (const identity of await identities(seen)) {
      const claim = claimOn(core, seen, identity);
      claims.set(claim.key, claim);
    }
  }
  return [...claims.values()];
}

/** What a client has spent of each limit: only counters that hold something. */
export async function peekAt(core: LimiterCore, claims: readonly NamedClaim[]): Promise<LimitDecision[]> {
  const verdicts = await core.guard.test(claims);
  const now = core.clock.now();
  return claims
    .flatMap((claim, i) => {
      const verdict = verdicts[i];
      return verdict === undefined || claim.policy === BLOCK_POLICY
        ? []
        : [limitDecision(claim, verdict, now)];
    })
    .filter((decision) => decision.used > 0 || !decision.allowed);
}

/** Key functions may return numbers, so a client may be one, too. */
function identitiesOf(where: string, client: Client): (seen: SeenCounter) => MaybePromise<Identity[]> {
  switch (typeof client) {
    case "string":
    case "number":
    case "bigint":
      return ofText(String(client));
    case "object":
      if (client !== null) return ofRequest(client as Request);
  }
  throw new ConfigurationError(`${where} takes a key, an address or a request, got ${describe(client)}.`);
}

/** A text may be a client's own key, and an address too: whoever has no key is counted by address. */
function ofText(text: string): (seen: SeenCounter) => Identity[] {
  const own = { key: text, part: escapeKeyPart(text) };
  const bare = text.replace(/\/\d+$/, "");
  return ({ bound }) => {
    const address = canonicalAddress(bare, ipv6SubnetOf(bound.keyFunc));
    if (address === undefined) return [own];
    const asAddress = { key: text, part: addressKeyPart(address) };
    return bound.countsAddresses ? [asAddress] : [own, asAddress];
  };
}

/** The identities of a request, each key function asked once. */
function ofRequest(req: Request): (seen: SeenCounter) => MaybePromise<Identity[]> {
  const asked = new Map<KeyFunction, Promise<Identity[]>>();
  return ({ bound }) => {
    const known = asked.get(bound.keyFunc);
    if (known !== undefined) return known;
    const asking = (async () => [identify(bound, await bound.keyFunc(req, req.res as Response), req)])();
    asked.set(bound.keyFunc, asking);
    return asking;
  };
}

function claimOn(core: LimiterCore, { counter, policy }: SeenCounter, { key, part }: Identity): NamedClaim {
  const place = counter.place(policy, core.keyHead);
  return new KeyedClaim({
    policy,
    place,
    owner: part,
    cost: 1,
    role: "limit",
    who: key,
    scope: counter.scope,
  });
}
