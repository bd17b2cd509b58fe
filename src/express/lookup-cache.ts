import type { ExpressRequest, Router } from "./express-internals.js";
import { routerOf } from "./express-internals.js";
import type { Marks } from "./marks.js";
import { isFresh, mountPatternOf, pathInApp, type RouteLookup, RouteLookups } from "./route-lookup.js";

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
    if (app === undefined) return undefined;
    // biome-ignore lint/complexity/noBannedTypes: an Express app is a function
    const router = routerOf(app as unknown as Function);
    if (router === undefined) return undefined;
    const path = pathInApp(req);
    return app.parent === undefined
      ? this.#cached(router, path, req.method ?? "GET", "")
      : this.#cached(router, pathBelowMount(req, path), req.method ?? "GET", mountPatternOf(app));
  }

  #cached(router: Router, path: string, method: string, base: string): RouteLookup {
    if (path.length > LONGEST_CACHED_PATH) return this.#lookups.lookUp(router, path, method, base);
    const cache = this.#cacheOf(router, method);
    const found = cache.young.get(path);
    if (found !== undefined && isFresh(found)) return found;
    return this.#missed(cache, router, path, method, base);
  }

  #missed(cache: PathCache, router: Router, path: string, method: string, base: string): RouteLookup {
    const aged = cache.old.get(path);
    const lookup =
      aged !== undefined && isFresh(aged) ? aged : this.#lookups.lookUp(router, path, method, base);
    if (cache.young.size >= PATHS_PER_GENERATION) {
      cache.old = cache.young;
      cache.young = new Map();
    }
    cache.young.set(path, lookup);
    return lookup;
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

/**
 * A mounted app's router sees the path less the mount. How long the mount's prefix was is known where the
 * pattern is fixed text; otherwise the segments are counted.
 */
function pathBelowMount(req: ExpressRequest, path: string): string {
  const depth = mountPatternOf(req.app).split("/").length - 1;
  const segments = path.split("/");
  return `/${segments.slice(depth + 1).join("/")}`;
}
