import { escapeKeyPart, KeyPlace } from "../core/key.js";
import { sharedCounter } from "../core/rate-limiter.js";
import type { Policy } from "../core/strategy.js";
import type { BoundLimit } from "./bound-limit.js";

/** Splits are made by functions of the request too: clients could make them many. */
const MOST_SPLITS_KEPT = 100;

/** A function of the request gives a new policy each time: its place is soon of no more use. */
const MOST_PLACES_KEPT = 100;

/** One counter per client: what is counted, as people read it and as keys hold it. */
export class Counter {
  /** For people: `"/users/:id"`, `"GET /slow"`, a shared scope. */
  readonly scope: string;
  /** For keys: escaped, and with its kind, so that no two kinds of scope can meet. */
  readonly name: string;
  /** By policy, not by its name: equal limits may count different clients, and each is to be noted. */
  readonly #places = new Map<Policy, KeyPlace>();
  readonly #splits = new Map<string, Counter>();

  /** The scope by which it is forgotten: a block's and a breach counter's is that of the limit they follow. */
  readonly ofScope: string;

  constructor(scope: string, name: string, ofScope: string = scope) {
    this.scope = scope;
    this.name = name;
    this.ofScope = ofScope;
  }

  /** The counter split further. The `#` is escaped in every part, so no scope can imitate a split. */
  split(kind: "scope" | "method" | "endpoint", by: string): Counter {
    const suffix = `#${kind}=${escapeKeyPart(by)}`;
    let split = this.#splits.get(suffix);
    if (split === undefined) {
      split = new Counter(`${this.scope} ${by}`, this.name + suffix);
      if (this.#splits.size < MOST_SPLITS_KEPT) this.#splits.set(suffix, split);
    }
    return split;
  }

  /** Where one policy's keys are, if that was asked before. */
  knownPlace(policy: Policy): KeyPlace | undefined {
    return this.#places.get(policy);
  }

  /** Where one policy's keys are, made once. */
  place(policy: Policy, keyHead: string): KeyPlace {
    const known = this.#places.get(policy);
    if (known !== undefined) return known;
    const place = new KeyPlace(keyHead, this.name, policy.id);
    if (this.#places.size >= MOST_PLACES_KEPT) this.#places.clear();
    this.#places.set(policy, place);
    return place;
  }
}

/** A limit and what it counts here. */
export class WantedLimit {
  readonly bound: BoundLimit;
  readonly counter: Counter;
  /** Where the keys of each of its policies are. Kept from the first request on, which saves all others a search. */
  places: readonly KeyPlace[] | undefined = undefined;

  constructor(bound: BoundLimit, counter: Counter) {
    this.bound = bound;
    this.counter = counter;
  }
}

/** Limits that are decided together where a request is now. */
export interface RouteRun {
  readonly route: unknown;
  readonly limits: readonly WantedLimit[];
  /** Some of them replace the default limits. */
  readonly overridesDefaults: boolean;
}

/** Over all routes. */
export function applicationCounter(): Counter {
  return new Counter("application", "application");
}

/** The default limits of one endpoint, over all methods. */
export function defaultCounter(pattern: string): Counter {
  return new Counter(pattern, `default:${escapeKeyPart(pattern)}`);
}

/** The default limits of everything that no route answers. */
export function unmatchedCounter(): Counter {
  return new Counter("unmatched", "unmatched");
}

/** A limit that stands on a route: where it was declared. */
export function routeCounter(method: string, pattern: string): Counter {
  return new Counter(`${method} ${pattern}`, `route:${method}${escapeKeyPart(pattern)}`);
}

/** A limit that stands on a path. */
export function mountCounter(pattern: string): Counter {
  return new Counter(pattern === "" ? "/" : pattern, `mount:${escapeKeyPart(pattern)}`);
}

/** Shared by name; calls outside HTTP with the same scope count here too. */
export function scopeCounter(scope: string): Counter {
  return new Counter(scope, sharedCounter(scope));
}

/** The limiter's limits on breaches. */
export function metaCounter(): Counter {
  return new Counter("meta", "meta");
}

/** The breaches of one limit. Several may count in one place, so the limit is part of the name. */
export function breachCounter(of: Counter, limit: Policy): Counter {
  return new Counter(`meta ${of.scope}`, `meta:${of.name}:${limit.id}`, of.scope);
}

/** The block after a breach of one limit. */
export function blockCounter(of: Counter, limit: Policy): Counter {
  return new Counter(`block ${of.scope}`, `block:${of.name}:${limit.id}`, of.scope);
}

/** A limit that was wrapped where the look-ahead cannot see its place: by the order in which it was made. */
export function hiddenCounter(ordinal: number): Counter {
  return new Counter(`limit ${ordinal}`, `hidden:${ordinal}`);
}
