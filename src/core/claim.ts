import type { NamedClaim } from "./decision.js";
import type { KeyPlace } from "./key.js";
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

/** Do both claims mean the same counter of the same client? */
export function isSameCounter(a: KeyedClaim, place: KeyPlace, owner: string): boolean {
  return a.owner === owner && (a.place === place || a.place.text === place.text);
}
