import type { App, ExpressRequest, Router } from "./express-internals.js";
import { appOf, propertyOf, routerOf } from "./express-internals.js";
import { KnownLookups } from "./known-lookups.js";
import type { Marks } from "./marks.js";
import { isFresh, pathInApp, type RouteLookup, RouteLookups } from "./route-lookup.js";

/** Look-ups remembered for each router, all methods together, in each of two generations. */
const LOOKUPS_PER_GENERATION = 2000;

/** Longer paths are looked up every time: clients choose them, and memory is ours. */
const LONGEST_CACHED_PATH = 512;

/** Look-ups by method and path. */
type Generation = Map<string, Map<string, RouteLookup>>;

/** Two generations: when the young one is full, the old one is forgotten. */
interface PathCache {
  young: Generation;
  old: Generation;
  youngSize: number;
  readonly known: KnownLookups;
}

/**
 * Look-ups by path: bounded, since clients invent paths, and checked against the stacks that were read, so
 * that a route added later is seen.
 */
export class LookupCache {
  readonly #lookups: RouteLookups;
  readonly #marks: Marks;
  #caches = new WeakMap<Router, PathCache>();
  #version = 0;

  constructor(marks: Marks) {
    this.#marks = marks;
    this.#lookups = new RouteLookups(marks);
  }

  /** What the request will meet in its app; `undefined` outside Express. */
  forRequest(req: ExpressRequest): RouteLookup | undefined {
    const app = appOf(req);
    const router = app === undefined ? undefined : routerOf(app);
    if (app === undefined || router === undefined) return undefined;
    const path = pathInApp(req);
    const method = propertyOf(req, "method") ?? "GET";
    if (path.length > LONGEST_CACHED_PATH) return this.#lookUp(app, router, path, method);
    const cache = this.#cacheOf(router);
    const found = cache.young.get(method)?.get(path);
    if (found !== undefined && isFresh(found)) return found;
    const aged = cache.old.get(method)?.get(path);
    const own = flatCopyOf(path);
    const isAged = aged !== undefined && isFresh(aged);
    const lookup = isAged ? aged : cache.known.sameAs(this.#lookUp(app, router, own, method));
    remember(cache, method, own, lookup);
    return lookup;
  }

  #lookUp(app: App, router: Router, path: string, method: string): RouteLookup {
    const { rest, pattern } = this.#placeOf(app, path);
    return this.#lookups.lookUp(router, rest, method, pattern);
  }

  /** The path as the app's own router sees it, and the pattern of all mounts before it. */
  #placeOf(app: App, path: string): { readonly rest: string; readonly pattern: string } {
    const { parent } = app;
    const router = parent && routerOf(parent);
    if (parent === undefined || router === undefined) return { rest: path, pattern: "" };
    const outer = this.#placeOf(parent, path);
    const { rest, pattern } = this.#lookups.mountOf(app, router, outer.rest);
    return { rest, pattern: outer.pattern + pattern };
  }

  #cacheOf(router: Router): PathCache {
    if (this.#version !== this.#marks.version) {
      this.#caches = new WeakMap();
      this.#version = this.#marks.version;
    }
    const known = this.#caches.get(router);
    if (known !== undefined) return known;
    const made = { young: new Map(), old: new Map(), youngSize: 0, known: new KnownLookups() };
    this.#caches.set(router, made);
    return made;
  }
}

function remember(cache: PathCache, method: string, path: string, lookup: RouteLookup): void {
  if (cache.youngSize >= LOOKUPS_PER_GENERATION) {
    cache.old = cache.young;
    cache.young = new Map();
    cache.youngSize = 0;
  }
  const paths = cache.young.get(method) ?? new Map<string, RouteLookup>();
  cache.young.set(method, paths.set(path, lookup));
  cache.youngSize++;
}

/**
 * A path is cut out of a URL, and would keep all of it in memory: a query of 15 KB, say. The copy is one flat piece:
 * a text that is cut out of another, or put together, takes twice as long to be compared with.
 */
function flatCopyOf(path: string): string {
  return JSON.parse(JSON.stringify(path));
}
