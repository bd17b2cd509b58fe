import type { Policy } from "../core/strategy.js";

/** An id that no slot holds. */
export const NO_FAMILY = -1;

/** Where a counter belongs, as far as many have it in common: what a slot says by a number. */
export interface Family {
  /** The start of its keys, up to the brace before the client; empty for keys without one. */
  readonly head: string;
  readonly policy: Policy;
  /** Held by slots while it has members; then it goes to another family. */
  readonly id: number;
  /** How many slots hold it. */
  members: number;
}

/** The families that have members: few, however many keys there are. None outlives its last member. */
export class Families {
  readonly #byName = new Map<string, Family>();
  /** By id; there is no family 0. */
  readonly #byId: (Family | undefined)[] = [undefined];
  readonly #freeIds: number[] = [];

  all(): Iterable<Family> {
    return this.#byName.values();
  }

  at(id: number): Family {
    const family = this.#byId[id];
    if (family === undefined) throw new RangeError(`No family has the id ${id}.`);
    return family;
  }

  named(name: string): Family | undefined {
    return this.#byName.get(name);
  }

  /** A new family for a first member. */
  found(name: string, head: string, policy: Policy): Family {
    const family: Family = { head, policy, id: this.#freeIds.pop() ?? this.#byId.length, members: 0 };
    this.#byId[family.id] = family;
    this.#byName.set(name, family);
    return family;
  }

  /** One member less. */
  leave(id: number): void {
    const family = this.at(id);
    if (--family.members > 0) return;
    this.#byName.delete(familyName(family.head, family.policy));
    this.#byId[id] = undefined;
    this.#freeIds.push(id);
  }

  clear(): void {
    for (const family of this.#byName.values()) family.members = 0;
    this.#byName.clear();
    this.#byId.length = 1;
    this.#freeIds.length = 0;
  }
}

/** Two places are of one family exactly when their names are the same: neither part holds a blank. */
export function familyName(head: string, policy: Policy): string {
  return `${policy.id} ${head}`;
}
