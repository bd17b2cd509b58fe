import type { Request } from "express";
import { isSameCounter } from "../core/claim.js";
import { describe } from "../core/describe.js";
import { ConfigurationError, LimitSyntaxError } from "../core/errors.js";
import { addressKeyPart, escapeKeyPart, type KeyPlace } from "../core/key.js";
import { BLOCK_POLICY } from "../core/policy.js";
import { checkCost } from "../core/rate-limiter.js";
import type { Policy } from "../core/strategy.js";
import { isPromise, type MaybePromise } from "../core/when-ready.js";
import type { BoundLimit } from "./bound-limit.js";
import { countedMethod, policiesOf } from "./bound-limit.js";
import type { WantedLimit } from "./counters.js";
import { blockCounter, breachCounter, type Counter, scopeCounter } from "./counters.js";
import { propertyOf } from "./express-internals.js";
import { addressOf } from "./key-functions.js";
import type { LimitedRequest } from "./limited-request.js";
import { type Identity, RequestClaim } from "./request-state.js";

const NO_POLICIES: readonly Policy[] = [];

/**
 * Turns limits into claims: asks key functions, limit functions, costs and conditions, in order.
 *
 * Stays synchronous as long as nothing has to be asked but a synchronous key function.
 */
export function collectClaims(
  phase: LimitedRequest,
  wanted: readonly WantedLimit[],
  start = 0,
): MaybePromise<void> {
  for (let i = start; i < wanted.length; i++) {
    const limit = wanted[i];
    const pending = limit && addClaims(phase, limit);
    if (isPromise(pending)) return collectTheRest(phase, wanted, i + 1, pending);
  }
}

async function collectTheRest(
  phase: LimitedRequest,
  wanted: readonly WantedLimit[],
  start: number,
  pending: Promise<void>,
): Promise<void> {
  await pending;
  return collectClaims(phase, wanted, start);
}

function addClaims(phase: LimitedRequest, wanted: WantedLimit): MaybePromise<void> {
  const { bound } = wanted;
  const { req, res } = phase;
  if (bound.methods !== undefined && !bound.methods.has(countedMethod(propertyOf(req, "method")))) {
    dropLimit(phase, bound);
    return;
  }
  if (!bound.isPlain) return addAskedClaims(phase, wanted);
  if (phase.addressedBy === bound.keyFunc && phase.address !== undefined)
    return addPlainClaims(phase, wanted, phase.address);
  const key = bound.keyFunc(req, res);
  if (isPromise(key)) return addPlainClaimsOf(phase, wanted, key);
  if (bound.countsAddresses && typeof key === "string")
    addPlainClaims(phase, wanted, addressed(phase, bound, key));
  else addPlainClaims(phase, wanted, identify(bound, key, req));
}

/** Notes who it is, for the other limits of the phase. */
function addressed(phase: LimitedRequest, { keyFunc }: BoundLimit, address: string): Identity {
  phase.addressedBy = keyFunc;
  phase.address = phase.core.lastAddress.identityOf(address);
  return phase.address;
}

async function addPlainClaimsOf(
  phase: LimitedRequest,
  wanted: WantedLimit,
  key: Promise<unknown>,
): Promise<void> {
  addPlainClaims(phase, wanted, identify(wanted.bound, await key, phase.req));
}

function addPlainClaims(phase: LimitedRequest, wanted: WantedLimit, who: Identity): void {
  const { bound } = wanted;
  const counter = bound.isSplit ? splitOf(wanted, phase.req) : wanted.counter;
  const places = bound.isSplit ? placesOf(phase, bound, counter) : knownPlaces(phase, wanted);
  const { policies = NO_POLICIES, fixedCost } = bound;
  const claims = new Array<RequestClaim>(policies.length);
  let made = 0;
  for (let i = 0; i < policies.length; i++) {
    const policy = policies[i];
    const place = places[i];
    if (policy === undefined || place === undefined || isClaimed(phase, place, who.part)) continue;
    claims[made++] = new RequestClaim(bound, counter, policy, place, who, fixedCost);
  }
  if (made < claims.length) claims.length = made;
  phase.claimAll(claims);
}

function dropLimit(phase: LimitedRequest, bound: BoundLimit): void {
  phase.withoutLimits ??= [];
  phase.withoutLimits.push(bound);
}

/** The slow road: something besides the key is a function, or more than one counter belongs to the limit. */
async function addAskedClaims(phase: LimitedRequest, { bound, counter }: WantedLimit): Promise<void> {
  const { req, res } = phase;
  const { exemptWhen, scope, cost } = bound.options;
  if (exemptWhen !== undefined && (await exemptWhen(req, res))) return;
  const who = identify(bound, await bound.keyFunc(req, res), req);
  const subScope = typeof scope === "function" ? await scope(req, res) : scope;
  const exact = splitByMethod(splitByText(counter, subScope, bound), bound, req);
  const policies = bound.policies ?? (await askedPolicies(phase, bound, who, exact));
  if (policies.length === 0) {
    dropLimit(phase, bound);
    return;
  }
  const charge = checkCost(typeof cost === "function" ? await cost(req, res) : (cost ?? 1));
  for (const policy of policies) {
    const place = placeOf(phase, bound, exact, policy);
    if (isClaimed(phase, place, who.part)) continue;
    const claim = new RequestClaim(bound, exact, policy, place, who, charge);
    phase.claim(claim);
    if (bound.options.observe === true) phase.hasObserved = true;
    addMetaClaims(phase, claim, who);
  }
}

/** What a limit function gives for this request. Text that cannot be read is told, and counts as nothing. */
async function askedPolicies(
  phase: LimitedRequest,
  bound: BoundLimit,
  who: Identity,
  counter: Counter,
): Promise<readonly Policy[]> {
  const { core, req, res } = phase;
  const limits = await bound.provider?.(req, res, { key: who.key, scope: counter.scope });
  if (limits === undefined || limits === null || limits === "") return [];
  try {
    return policiesOf(limits, bound, core.storage);
  } catch (error) {
    if (!(error instanceof LimitSyntaxError)) throw error;
    core.logger?.error("A limit function gave a limit that cannot be read; the default limits apply.", error);
    core.events.emit("limitError", { req, error });
    return [];
  }
}

/** The limits on breaches of a limit, and its block: tested before it, charged when it refuses. */
function addMetaClaims(phase: LimitedRequest, parent: RequestClaim, who: Identity): void {
  const { bound, counter, policy: limit } = parent;
  for (const policy of bound.metaPolicies) {
    addMetaClaim(phase, parent, breachCounter(counter, limit), policy, who, 1);
  }
  if (bound.blockMs !== undefined) {
    addMetaClaim(phase, parent, blockCounter(counter, limit), BLOCK_POLICY, who, bound.blockMs);
  }
}

function addMetaClaim(
  phase: LimitedRequest,
  parent: RequestClaim,
  counter: Counter,
  policy: Policy,
  who: Identity,
  cost: number,
): void {
  const { bound } = parent;
  const place = placeOf(phase, bound, counter, policy);
  phase.claim(new RequestClaim(bound, counter, policy, place, who, cost, parent));
}

function knownPlaces(phase: LimitedRequest, wanted: WantedLimit): readonly KeyPlace[] {
  wanted.places ??= placesOf(phase, wanted.bound, wanted.counter);
  return wanted.places;
}

function placesOf(phase: LimitedRequest, bound: BoundLimit, counter: Counter): readonly KeyPlace[] {
  return (bound.policies ?? NO_POLICIES).map((policy) => placeOf(phase, bound, counter, policy));
}

function placeOf({ core }: LimitedRequest, bound: BoundLimit, counter: Counter, policy: Policy): KeyPlace {
  const known = counter.knownPlace(policy);
  if (known !== undefined) return known;
  core.seen.note(counter, policy, bound);
  return counter.place(policy, core.keyHead);
}

/** Within a request the same counter is charged once, however often the limit is written. */
function isClaimed({ claims, state }: LimitedRequest, place: KeyPlace, owner: string): boolean {
  for (const claim of claims) if (isSameCounter(claim, place, owner)) return true;
  for (const claim of state.decided) {
    if (claim.role === "limit" && isSameCounter(claim, place, owner)) return true;
  }
  return false;
}

/** Without a key of its own a client is counted by address, never together with everybody else. */
export function identify(bound: Pick<BoundLimit, "countsAddresses">, key: unknown, req: Request): Identity {
  if (typeof key === "string" && key !== "") {
    return { key, part: bound.countsAddresses ? addressKeyPart(key) : escapeKeyPart(key) };
  }
  if (key === undefined || key === null || key === "" || Number.isNaN(key)) {
    const address = addressOf(req);
    return { key: address, part: addressKeyPart(address) };
  }
  if (typeof key === "number" || typeof key === "bigint") return { key: String(key), part: String(key) };
  throw new ConfigurationError(
    `keyFunc must return a text, a number or undefined, got ${Array.isArray(key) ? "a list" : typeof key}.`,
  );
}

/** The counter of a plain limit that counts methods apart, or for a scope of its own. */
function splitOf({ bound, counter }: WantedLimit, req: Request): Counter {
  return splitByMethod(splitByText(counter, bound.options.scope, bound), bound, req);
}

/** The counter of a sub-scope; of a shared limit the counter of that scope. */
function splitByText(counter: Counter, scope: unknown, bound: BoundLimit): Counter {
  const text = typeof scope === "number" || typeof scope === "bigint" ? String(scope) : scope;
  if (bound.kind === "shared")
    return text === counter.scope ? counter : scopeCounter(checkScope(text, bound));
  if (text === undefined || text === null || text === "") return counter;
  return counter.split("scope", checkScope(text, bound));
}

function checkScope(scope: unknown, { kind }: BoundLimit): string {
  if (typeof scope === "string" && scope !== "") return scope;
  const expected = kind === "shared" ? "a text" : "a text, a number or undefined";
  throw new ConfigurationError(`A scope function must return ${expected}, got ${describe(scope)}.`);
}

function splitByMethod(counter: Counter, bound: BoundLimit, req: Request): Counter {
  return bound.options.perMethod === true
    ? counter.split("method", countedMethod(propertyOf(req, "method")))
    : counter;
}
