import type { Candidate, MountedLimit, ReadStack, RouteLookup } from "./route-lookup.js";

/** One route gives a look-up for each method; more come only from limits that stand on paths with parameters. */
const MOST_PER_ROUTE = 8;

/**
 * Look-ups that say the same, kept once: paths are many, routes are few. What is asked for each request fits into
 * the processor's caches then.
 */
export class KnownLookups {
  /** By what was read last: the route, or the router that had none. */
  readonly #known = new WeakMap<object, RouteLookup[]>();

  /** The known look-up that says the same, or this one, which is known from now on. */
  sameAs(lookup: RouteLookup): RouteLookup {
    const last = lookup.read.at(-1)?.holder;
    if (last === undefined) return lookup;
    const known = this.#known.get(last) ?? [];
    const same = known.find((other) => isSame(other, lookup));
    if (same !== undefined) return same;
    this.#known.set(last, [lookup, ...known.slice(0, MOST_PER_ROUTE - 1)]);
    return lookup;
  }
}

function isSame(a: RouteLookup, b: RouteLookup): boolean {
  return (
    a.method === b.method &&
    a.endpoint === b.endpoint &&
    a.answersOptions === b.answersOptions &&
    a.lifted.default === b.lifted.default &&
    a.lifted.application === b.lifted.application &&
    a.lifted.meta === b.lifted.meta &&
    areAll(a.read, b.read, isSameStack) &&
    areAll(a.marks, b.marks, Object.is) &&
    areAll(a.candidates, b.candidates, isSameCandidate) &&
    areAll(a.mounted, b.mounted, isSameMount)
  );
}

function areAll<T>(a: readonly T[], b: readonly T[], isSameItem: (a: T, b: T) => boolean): boolean {
  return (
    a.length === b.length &&
    a.every((item, i) => {
      const other = b[i];
      return other !== undefined && isSameItem(item, other);
    })
  );
}

function isSameStack(a: ReadStack, b: ReadStack): boolean {
  return a.holder === b.holder && a.length === b.length && a.last === b.last;
}

function isSameCandidate(a: Candidate, b: Candidate): boolean {
  return a.route === b.route && a.pattern === b.pattern && areAll(a.marks, b.marks, Object.is);
}

function isSameMount(a: MountedLimit, b: MountedLimit): boolean {
  return a.handle === b.handle && a.prefix === b.prefix && a.pattern === b.pattern;
}
