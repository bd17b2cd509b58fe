import type { NamedClaim } from "./decision.js";
import { escapeKeyPart, type KeyPlace } from "./key.js";
import type { Claim } from "./storage.js";
import type { Policy } from "./strategy.js";

/** What a claim is made of. */
export interface ClaimParts {
  readonly policy: Policy;
  readonly place: KeyPlace;
  readonly owner: string;
  readonly cost: number;
  readonly role: Claim["role"];
  readonly parent?: Claim | undefined;
  readonly who: string;
  readonly scope: string;
}

/** A claim that puts its key together only when a storage asks for it. */
export class KeyedClaim implements NamedClaim {
  readonly policy: Policy;
  readonly place: KeyPlace;
  readonly owner: string;
  readonly cost: number;
  readonly role: Claim["role"];
  readonly parent: Claim | undefined;
  readonly who: string;
  readonly scope: string;

  constructor(parts: ClaimParts) {
    this.policy = parts.policy;
    this.place = parts.place;
    this.owner = parts.owner;
    this.cost = parts.cost;
    this.role = parts.role;
    this.parent = parts.parent;
    this.who = parts.who;
    this.scope = parts.scope;
  }

  get key(): string {
    return this.place.keyOf(this.owner);
  }
}

/**
 * A claim of one limit on a client that was named by hand. It escapes the name when a storage asks for it, once.
 *
 * Made for every hit outside HTTP, and so as small as can be.
 */
export class ClientClaim implements NamedClaim {
  readonly policy: Policy;
  readonly place: KeyPlace;
  readonly who: string;
  readonly scope: string;
  readonly cost: number;
  #owner: string | undefined;

  constructor(policy: Policy, place: KeyPlace, who: string, scope: string, cost: number) {
    this.policy = policy;
    this.place = place;
    this.who = who;
    this.scope = scope;
    this.cost = cost;
  }

  get role(): "limit" {
    return "limit";
  }

  get client(): string {
    return this.who;
  }

  get owner(): string {
    this.#owner ??= escapeKeyPart(this.who);
    return this.#owner;
  }

  get key(): string {
    return this.place.keyOf(this.owner);
  }
}

/** Is it a meta claim that is charged because one of these limits refused? */
export function followsOneOf(refused: readonly Claim[], { role, parent }: Claim): boolean {
  return role === "meta" && (parent === undefined ? refused.length > 0 : refused.includes(parent));
}

/** Do both claims mean the same counter of the same client? */
export function isSameCounter(a: KeyedClaim, place: KeyPlace, owner: string): boolean {
  return a.owner === owner && isSamePlace(a.place, place);
}

/** Do the keys of both places differ in nothing but the client? */
export function isSamePlace(a: KeyPlace, b: KeyPlace): boolean {
  return a === b || a.text === b.text;
}
