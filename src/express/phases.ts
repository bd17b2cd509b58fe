import type { Request } from "express";
import type { BoundLimit } from "./bound-limit.js";
import type { RouteRun } from "./counters.js";
import {
  applicationCounter,
  type Counter,
  defaultCounter,
  hiddenCounter,
  metaCounter,
  mountCounter,
  routeCounter,
  scopeCounter,
  unmatchedCounter,
  WantedLimit,
} from "./counters.js";
import { joined } from "./exact-lists.js";
import type { Handle, Route } from "./express-internals.js";
import { declaredMethod, dispatchedMethod } from "./express-internals.js";
import type { LimiterCore } from "./limiter-core.js";
import { type Lifted, liftBoth } from "./marks.js";
import { routePattern } from "./patterns.js";
import type { RequestState } from "./request-state.js";
import type { MountedLimit, RouteLookup } from "./route-lookup.js";

const NO_LIMITS: readonly WantedLimit[] = [];
const NO_BOUNDS: readonly BoundLimit[] = [];

/** Which limits belong to which phase of a request, and what each of them counts. */
export class Phases {
  readonly #core: LimiterCore;
  readonly #application: readonly WantedLimit[];
  readonly #meta: readonly WantedLimit[];
  readonly #unmatched = unmatchedCounter();
  /** By the pattern of the endpoint, which may be empty; `undefined` where none is. Patterns are as many as routes. */
  readonly #defaults = new Map<string | undefined, readonly WantedLimit[]>();
  readonly #counters = new Map<string, Counter>();

  constructor(core: LimiterCore) {
    this.#core = core;
    const [application, meta] = [applicationCounter(), metaCounter()];
    this.#application = core.application.map((bound) => new WantedLimit(bound, application));
    this.#meta = core.meta.map((bound) => new WantedLimit(bound, meta));
  }

  /** Is there anything for which one must know the route? */
  get needsLookup(): boolean {
    return this.#core.defaults.length > 0 || this.#core.fallback.length > 0 || this.#core.marks.any;
  }

  /** Meta, application and default limits, for the phase before routing. */
  globalLimits(req: Request, state: RequestState): readonly WantedLimit[] {
    const wanted = this.applicationLimits(state);
    if (this.#core.defaults.length === 0 || liftedFor(state).default) return wanted;
    if (limitsOnTheWay(state.lookup).length > 0) return wanted;
    const defaults = this.defaultLimits(state.lookup, req);
    return joined(wanted, defaults);
  }

  /** What is decided where own limits stand: application limits that were not yet, defaults that they leave room for. */
  routeLimits(run: RouteRun, req: Request, state: RequestState): readonly WantedLimit[] {
    const wanted = this.applicationLimits(state);
    if (this.#core.defaults.length === 0 || run.overridesDefaults) return joined(wanted, run.limits);
    if (liftedFor(state).default || limitsOnTheWay(state.lookup).some(overrides)) {
      return joined(wanted, run.limits);
    }
    return joined(joined(wanted, this.defaultLimits(state.lookup, req)), run.limits);
  }

  /** Meta and application limits; the latter once in a request. */
  applicationLimits(state: RequestState): readonly WantedLimit[] {
    const lifted = liftedFor(state);
    const meta = lifted.meta ? NO_LIMITS : this.#meta;
    if (state.isApplicationDone || lifted.application) return meta;
    state.isApplicationDone = true;
    return joined(meta, this.#application);
  }

  /** The default limits of the endpoint that a request is on its way to. */
  defaultLimits(lookup: RouteLookup | undefined, req: Request): readonly WantedLimit[] {
    if (lookup?.defaults !== undefined) return lookup.defaults;
    const { requestIdentifier } = this.#core;
    const endpoint = lookup?.endpoint;
    if (endpoint === undefined && !this.#core.limitsUnmatched) return NO_LIMITS;
    if (requestIdentifier !== undefined) {
      const counter = defaultCounter(requestIdentifier(req, endpoint));
      return this.#core.defaults.map((bound) => new WantedLimit(bound, counter));
    }
    let wanted = this.#defaults.get(endpoint);
    if (wanted === undefined) {
      const counter = endpoint === undefined ? this.#unmatched : defaultCounter(endpoint);
      wanted = this.#core.defaults.map((bound) => new WantedLimit(bound, counter));
      this.#defaults.set(endpoint, wanted);
    }
    if (lookup !== undefined) lookup.defaults = wanted;
    return wanted;
  }

  /** The limits that replace all others while the storage is lost: one counter for each endpoint. */
  fallbackLimits(state: RequestState): readonly WantedLimit[] {
    if (liftedFor(state).default) return NO_LIMITS;
    const endpoint = state.lookup?.endpoint;
    if (endpoint === undefined && !this.#core.limitsUnmatched) return NO_LIMITS;
    const counter = endpoint === undefined ? this.#unmatched : defaultCounter(endpoint);
    return this.#core.fallback.map((bound) => new WantedLimit(bound, counter));
  }

  /** What a limit counts that stands where the request is now. */
  counterOf(bound: BoundLimit, handle: Handle, req: Request, state: RequestState, ordinal: number): Counter {
    if (bound.kind === "shared") return this.#sharedCounter(bound);
    const route: Route | undefined = req.route;
    if (route !== undefined) {
      const declared = declaredMethod(route, handle, req.method);
      if (declared !== undefined) return this.#routeCounter(route, declared, req, state);
    }
    const mounted = mountedHere(state.lookup, handle, req.baseUrl ?? "");
    if (mounted !== undefined) return this.#mountCounter(bound, mounted.pattern, state);
    if (route === undefined) return this.#remembered(`hidden ${ordinal}`, () => hiddenCounter(ordinal));
    const method = dispatchedMethod(route, req.method ?? "GET");
    return this.#routeCounter(
      route,
      route.methods[method] === true ? method.toUpperCase() : "ALL",
      req,
      state,
    );
  }

  /** A scope that is a function of the request is asked when the claim is made. */
  #sharedCounter(bound: BoundLimit): Counter {
    const { scope } = bound.options;
    const name = typeof scope === "string" ? scope : "";
    return this.#remembered(`shared ${name}`, () => scopeCounter(name));
  }

  #routeCounter(route: Route, declared: string, req: Request, state: RequestState): Counter {
    const candidate = state.lookup?.candidates.find((known) => known.route === route);
    const pattern = candidate?.pattern ?? routePattern(route.path);
    const { requestIdentifier } = this.#core;
    if (requestIdentifier !== undefined) return routeCounter(declared, requestIdentifier(req, pattern));
    return this.#remembered(`${declared} ${pattern}`, () => routeCounter(declared, pattern));
  }

  #mountCounter(bound: BoundLimit, pattern: string, state: RequestState): Counter {
    const counter = this.#remembered(`mount ${pattern}`, () => mountCounter(pattern));
    if (bound.options.perEndpoint !== true) return counter;
    return counter.split("endpoint", state.lookup?.endpoint ?? "unmatched");
  }

  #remembered(name: string, make: () => Counter): Counter {
    const known = this.#counters.get(name);
    if (known !== undefined) return known;
    const made = make();
    this.#counters.set(name, made);
    return made;
  }
}

/** The mount through which the request came: of those that fit, the longest. */
function mountedHere(
  lookup: RouteLookup | undefined,
  handle: Handle,
  baseUrl: string,
): MountedLimit | undefined {
  let longest: MountedLimit | undefined;
  for (const mount of lookup?.mounted ?? []) {
    if (mount.handle !== handle || !baseUrl.endsWith(mount.prefix)) continue;
    if (longest === undefined || mount.prefix.length > longest.prefix.length) longest = mount;
  }
  return longest;
}

/** Exemptions that were seen ahead, and those that ran. */
export function liftedFor(state: RequestState): Lifted {
  return state.lookup === undefined ? state.lifted : liftBoth(state.lifted, state.lookup.lifted);
}

function overrides(bound: BoundLimit): boolean {
  return bound.overridesDefaults;
}

/** The limits that the request will meet and that apply to its method. */
export function limitsOnTheWay(lookup: RouteLookup | undefined): readonly BoundLimit[] {
  return lookup?.limits ?? NO_BOUNDS;
}
