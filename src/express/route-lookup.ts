import { type BoundLimit, countedMethod } from "./bound-limit.js";
import type { RouteRun, WantedLimit } from "./counters.js";
import type { App, ExpressRequest, Handle, Layer, LayerMatch, Route, Router } from "./express-internals.js";
import {
  dispatchedMethod,
  handlesMethod,
  matchLayer,
  pathnameOf,
  propertyOf,
  routerOf,
} from "./express-internals.js";
import { type Lifted, liftBoth, type Mark, type Marks, NOTHING_LIFTED } from "./marks.js";
import { isMountedAt, isWildcard, MountPatterns, routePattern } from "./patterns.js";

/** A route that Express may run for a path. */
export interface Candidate {
  readonly route: Route;
  /** The full pattern, mounts included. */
  readonly pattern: string;
  /** Marks on the routers and middleware on the way, and on the route itself. */
  readonly marks: readonly Mark[];
}

/** A limit that stands on a path: in `app.use` or `router.use`. */
export interface MountedLimit {
  readonly handle: Handle;
  /** The part of the path that is consumed where it runs: `req.baseUrl`. */
  readonly prefix: string;
  readonly pattern: string;
}

/** What will happen to a request, as far as it can be seen without running anything. */
export interface RouteLookup {
  readonly method: string;
  /** The pattern of the route that will answer; `undefined` when none does. */
  readonly endpoint: string | undefined;
  /** Routes that match, those before the limiter's own middleware included. */
  readonly candidates: readonly Candidate[];
  readonly mounted: readonly MountedLimit[];
  /** Marks that count for this request: of all candidates of the endpoint's pattern. */
  readonly marks: readonly Mark[];
  readonly lifted: Lifted;
  /** The limits among the marks that apply to the method. */
  readonly limits: readonly BoundLimit[];
  /** Express will answer OPTIONS by itself. */
  readonly answersOptions: boolean;
  /** Limits that were found where they stand, with their neighbours; filled as requests reach them. */
  readonly runs: Map<Handle, RouteRun>;
  /** The default limits of the endpoint, once they were asked for. */
  defaults: readonly WantedLimit[] | undefined;
  /** Stacks that were read, to see whether they have changed since. */
  readonly read: readonly ReadStack[];
}

/** A stack as it was when a look-up read it. */
export interface ReadStack {
  readonly holder: Router | Route;
  readonly length: number;
  readonly last: Layer | undefined;
}

interface Walk {
  readonly method: string;
  readonly candidates: Candidate[];
  /** The first candidate behind the limiter's own middleware; undefined before it is met. */
  start: number | undefined;
  readonly mounted: MountedLimit[];
  readonly read: ReadStack[];
  /** Marks of routers that the path leads through without finding a route there. */
  readonly passed: Mark[];
  /** Marks in force where the path leads past all routes. */
  atEnd: readonly Mark[];
  optionsRoutes: number;
  /** A middleware that is none of ours stands on the path, and may answer. */
  hasForeign: boolean;
}

/** Where the walk stands: how much of the path is consumed, and what it was called. */
interface Place {
  readonly router: Router;
  readonly path: string;
  readonly prefix: string;
  readonly pattern: string;
  readonly marks: readonly Mark[];
}

/** Where an app is mounted. */
interface Mount {
  /** The path as the app's router sees it. */
  readonly rest: string;
  readonly pattern: string;
}

const DEEPEST_NESTING = 64;

/** What Express calls the wrapper behind which a mounted app hides. */
const MOUNTED_APP = "mounted_app";

/**
 * Looks ahead: which route will a request reach, and what marks stand on it and on the way?
 *
 * Walks the router's stack with Express's own matchers and runs nothing. Where the limiter's own middleware
 * is met on the way, what lies before it has run already and does not count.
 */
export class RouteLookups {
  readonly #marks: Marks;
  readonly #mounts = new MountPatterns();
  readonly #stacks = new WeakMap<Router | Route, ReadStack>();

  constructor(marks: Marks) {
    this.#marks = marks;
  }

  /** Walks the router for a path. `base` is the pattern under which the router itself is mounted. */
  lookUp(router: Router, path: string, method: string, base = "", prefix = ""): RouteLookup {
    const walk: Walk = {
      method,
      candidates: [],
      start: undefined,
      mounted: [],
      read: [],
      passed: [],
      atEnd: [],
      optionsRoutes: 0,
      hasForeign: false,
    };
    walk.atEnd = this.#walk({ router, path, prefix, pattern: base, marks: [] }, walk, 0);
    return summarize(walk);
  }

  /** Returns the marks in force where the path leads past all of the router's routes. */
  #walk(place: Place, walk: Walk, depth: number): readonly Mark[] {
    const { router } = place;
    walk.read.push(this.#read(router));
    let { marks } = place;
    for (const layer of router.stack) {
      const match = matchLayer(layer, place.path);
      if (match === undefined) continue;
      if (layer.route !== undefined) {
        marks = this.#meetRoute(layer.route, { ...place, marks }, walk);
      } else {
        marks = this.#meetMiddleware(layer, match, { ...place, marks }, walk, depth);
      }
    }
    return marks;
  }

  #meetRoute(route: Route, place: Place, walk: Walk): readonly Mark[] {
    walk.read.push(this.#read(route));
    if (!handlesMethod(route, walk.method)) {
      if (walk.method === "OPTIONS") walk.optionsRoutes++;
      return place.marks;
    }
    const marks = [...place.marks, ...this.#marksOn(route, walk.method)];
    const pattern = place.pattern + routePattern(route.path);
    if (!isWildcard(route.path)) {
      walk.candidates.push({ route, pattern, marks });
      return place.marks;
    }
    walk.candidates.push({ route, pattern, marks: [...marks, ...walk.passed] });
    return marks;
  }

  #meetMiddleware(layer: Layer, match: LayerMatch, place: Place, walk: Walk, depth: number): readonly Mark[] {
    if (layer.handle.length > 3 || !isPathPrefix(match.path, place.path, layer)) return place.marks;
    const path = restOf(place.path, match.path);
    const prefix = place.prefix + withoutTrailingSlash(match.path);
    const mount = this.#mounts.patternOf(layer, match);
    const mark =
      this.#marks.of(layer.handle) ??
      (layer.name === MOUNTED_APP ? this.#marks.ofMountedApp(place.router, mount) : undefined);
    const marks = mark === undefined ? place.marks : [...place.marks, mark];
    const inside: Place = { ...place, path, prefix, pattern: place.pattern + mount, marks };
    const router = depth < DEEPEST_NESTING ? routerOf(layer.handle) : undefined;
    if (router !== undefined) {
      const left = this.#walk({ ...inside, router }, walk, depth + 1).slice(place.marks.length);
      walk.passed.push(...left.filter(({ kind }) => kind === "limit" || inside.prefix !== ""));
      return place.marks;
    }
    if (mark === undefined && match.path !== "") walk.hasForeign = true;
    if (mark?.kind === "middleware") startHere(walk);
    if (mark?.kind === "limit") {
      walk.mounted.push({ handle: layer.handle, prefix: inside.prefix, pattern: inside.pattern });
    }
    return inside.marks;
  }

  /** One for all look-ups that read the stack as it is: what they share stays in the processor's caches. */
  #read(holder: Router | Route): ReadStack {
    const known = this.#stacks.get(holder);
    if (known !== undefined && isUnchanged(known)) return known;
    const read = { holder, length: holder.stack.length, last: holder.stack.at(-1) };
    this.#stacks.set(holder, read);
    return read;
  }

  #marksOn(route: Route, method: string): Mark[] {
    const name = dispatchedMethod(route, method);
    const marks: Mark[] = [];
    for (const layer of route.stack) {
      const mark = this.#marks.of(layer.handle);
      if (mark !== undefined && (layer.method === undefined || layer.method === name)) marks.push(mark);
    }
    return marks;
  }

  /** Where a path enters an app in its parent's router: what the mount takes of the path, and its pattern. */
  mountOf(app: App, parent: Router, path: string): Mount {
    let first: Mount | undefined;
    for (const layer of parent.stack) {
      const match = layer.name === MOUNTED_APP ? matchLayer(layer, path) : undefined;
      if (match === undefined) continue;
      const rest = restOf(path, match.path);
      const mount = { rest, pattern: this.#mounts.patternOf(layer, match) };
      if (isMountedAt(app.mountpath, mount.pattern)) return mount;
      first ??= mount;
    }
    return first ?? { rest: path, pattern: "" };
  }
}

/** Are the stacks that a look-up read still as they were? */
export function isFresh(lookup: RouteLookup): boolean {
  for (const read of lookup.read) if (!isUnchanged(read)) return false;
  return true;
}

/** Hot. Routers are few and stay, so that V8 knows their shapes: here a plain access is faster than `propertyOf`. */
function isUnchanged({ holder, length, last }: ReadStack): boolean {
  const { stack } = holder;
  return stack.length === length && stack[length - 1] === last;
}

/** The path of a request as its app's own router sees it. */
export function pathInApp(req: ExpressRequest): string {
  const pathname = pathnameOf(req);
  const baseUrl = propertyOf(req, "baseUrl");
  if (baseUrl === undefined || baseUrl === "") return pathname;
  const isMountItself = pathname === "/" && !(req.originalUrl ?? "").startsWith(`${baseUrl}/`);
  return isMountItself ? baseUrl : baseUrl + pathname;
}

function summarize(walk: Walk): RouteLookup {
  const { candidates, mounted, read } = walk;
  const ahead = candidates.slice(walk.start);
  const found = ahead.find((candidate) => !isWildcard(candidate.route.path));
  const first = found ?? ahead[0];
  const marks =
    first === undefined
      ? walk.atEnd.concat(walk.passed)
      : ahead.filter(({ pattern }) => pattern === first.pattern).flatMap((candidate) => candidate.marks);
  let lifted = NOTHING_LIFTED;
  for (const mark of found === undefined ? marks.concat(walk.passed) : marks)
    if (mark.kind === "exempt") lifted = liftBoth(lifted, mark.lifts);
  return {
    method: walk.method,
    endpoint: first?.pattern,
    candidates,
    mounted,
    marks,
    lifted,
    limits: limitsFor(walk.method, marks),
    answersOptions: ahead.length === 0 && walk.optionsRoutes > 0 && !walk.hasForeign,
    runs: new Map(),
    defaults: undefined,
    read,
  };
}

function limitsFor(method: string, marks: readonly Mark[]): BoundLimit[] {
  const counted = countedMethod(method);
  return marks.flatMap((mark) =>
    mark.kind === "limit" && (mark.bound.methods?.has(counted) ?? true) ? [mark.bound] : [],
  );
}

/** What was met before the limiter's own middleware has run already. Met again, it does nothing. */
function startHere(walk: Walk): void {
  if (walk.start !== undefined) return;
  walk.start = walk.candidates.length;
  walk.optionsRoutes = 0;
  walk.hasForeign = false;
}

/** Express enters a mount only at a path separator; Express 4 takes a dot for one. */
function isPathPrefix(prefix: string, path: string, layer: Layer): boolean {
  if (prefix === "") return true;
  if (!path.startsWith(prefix)) return false;
  const next = path[prefix.length];
  return next === undefined || next === "/" || (next === "." && layer.regexp !== undefined);
}

function restOf(path: string, prefix: string): string {
  const rest = path.slice(prefix.length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function withoutTrailingSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}
