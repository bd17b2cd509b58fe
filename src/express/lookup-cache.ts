import type { App, ExpressRequest, Router } from "./express-internals.js";
import { routerOf } from "./express-internals.js";
import type { Marks } from "./marks.js";
import { isFresh, pathInApp, type RouteLookup, RouteLookups } from "./route-lookup.js";

/** Paths remembered for each router and method, in each of two generations. */
const PATHS_PER_GENERATION = 2000;

/** Longer paths are looked up every time: clients choose them, and memory is ours. */
const LONGEST_CACHED_PATH = 512;

/** The two generations: when the young one is full, the old one is forgotten. */
interface PathCache {
  young: Map<string, RouteLookup>;
  old: Map<string, RouteLookup>;
}

/**
 * Look-ups by path: bounded, since clients invent paths, and checked against the stacks that were read, so
 * that a route added later is seen.
 */
export class LookupCache {
  readonly #lookups: RouteLookups;
  readonly #marks: Marks;
  #caches = new WeakMap<Router, Map<string, PathCache>>();
  #version = 0;

  constructor(marks: Marks) {
    this.#marks = marks;
    this.#lookups = new RouteLookups(marks);
  }

  /** What the request will meet in its app; `undefined` outside Express. */
  forRequest(req: ExpressRequest): RouteLookup | undefined {
    const { app } = req;
    const router = app === undefined ? undefined : routerOf(app);
    if (app === undefined || router === undefined) return undefined;
    const path = pathInApp(req);
    if (path.length > LONGEST_CACHED_PATH) return this.#lookUp(app, router, path, req);
    const cache = this.#cacheOf(router, req.method ?? "GET");
    const found = cache.young.get(path);
    if (found !== undefined && isFresh(found)) return found;
    const aged = cache.old.get(path);
    const lookup = aged !== undefined && isFresh(aged) ? aged : this.#lookUp(app, router, path, req);
    remember(cache, path, lookup);
    return lookup;
  }

  #lookUp(app: App, router: Router, path: string, req: ExpressRequest): RouteLookup {
    const { rest, pattern } = this.#placeOf(app, path);
    return this.#lookups.lookUp(router, rest, req.method ?? "GET", pattern);
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

  #cacheOf(router: Router, method: string): PathCache {
    if (this.#version !== this.#marks.version) {
      this.#caches = new WeakMap();
      this.#version = this.#marks.version;
    }
    const byMethod = this.#caches.get(router) ?? new Map<string, PathCache>();
    const cache = byMethod.get(method) ?? { young: new Map(), old: new Map() };
    this.#caches.set(router, byMethod);
    byMethod.set(method, cache);
    return cache;
  }
}

function remember(cache: PathCache, path: string, lookup: RouteLookup): void {
  if (cache.young.size >= PATHS_PER_GENERATION) {
    cache.old = cache.young;
    cache.young = new Map();
  }
  cache.young.set(path, lookup);
}
