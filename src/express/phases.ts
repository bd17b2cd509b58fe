import type { Request } from "express";
import type { BoundLimit } from "./bound-limit.js";
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
} from "./counters.js";
import type { Handle, Route } from "./express-internals.js";
import { declaredMethod, dispatchedMethod } from "./express-internals.js";
import type { LimiterCore } from "./limiter-core.js";
import { type Lifted, liftBoth } from "./marks.js";
import { routePattern } from "./patterns.js";
import type { RequestState, WantedLimit } from "./request-state.js";
import type { RouteLookup } from "./route-lookup.js";

const NO_LIMITS: readonly WantedLimit[] = [];
const NO_BOUNDS: readonly BoundLimit[] = [];

/** Which limits belong to which phase of a request, and what each of them counts. */
export class Phases {
  readonly #core: LimiterCore;
  readonly #application: readonly WantedLimit[];
  readonly #meta: readonly WantedLimit[];
  readonly #unmatched = unmatchedCounter();
  /** Counters by their pattern: patterns are as many as routes. */
  readonly #defaultCounters = new Map<string, readonly WantedLimit[]>();
  readonly #counters = new Map<string, Counter>();

  constructor(core: LimiterCore) {
    this.#core = core;
    const [application, meta] = [applicationCounter(), metaCounter()];
    this.#application = core.application.map((bound) => ({ bound, counter: application }));
    this.#meta = core.meta.map((bound) => ({ bound, counter: meta }));
  }

  /** Is there anything for which one must know the route? */
  get needsLookup(): boolean {
    return this.#core.defaults.length > 0 || this.#core.marks.any;
  }

  /** Meta, application and default limits, for the phase before routing. */
  globalLimits(req: Request, state: RequestState): readonly WantedLimit[] {
    const wanted = this.applicationLimits(state);
    if (liftedFor(state).default || limitsOnTheWay(state.lookup).length > 0) return wanted;
    const defaults = this.defaultLimits(state.lookup, req);
    return wanted.length === 0 ? defaults : wanted.concat(defaults);
  }

  /** What is decided where own limits stand: application limits that were not yet, defaults that they leave room for. */
  routeLimits(own: readonly WantedLimit[], req: Request, state: RequestState): readonly WantedLimit[] {
    const wanted = this.applicationLimits(state);
    const onTheWay = limitsOnTheWay(state.lookup).concat(own.map(({ bound }) => bound));
    if (liftedFor(state).default || onTheWay.some((bound) => bound.overridesDefaults))
      return wanted.concat(own);
    return wanted.concat(this.defaultLimits(state.lookup, req), own);
  }

  /** Meta and application limits; the latter once in a request. */
  applicationLimits(state: RequestState): readonly WantedLimit[] {
    const lifted = liftedFor(state);
    const meta = lifted.meta ? NO_LIMITS : this.#meta;
    if (state.isApplicationDone || lifted.application) return meta;
    state.isApplicationDone = true;
    return meta.length === 0 ? this.#application : meta.concat(this.#application);
  }

  /** The default limits of the endpoint that a request is on its way to. */
  defaultLimits(lookup: RouteLookup | undefined, req: Request): readonly WantedLimit[] {
    const { requestIdentifier } = this.#core;
    if (requestIdentifier !== undefined) {
      const counter = defaultCounter(requestIdentifier(req, lookup?.endpoint));
      return this.#core.defaults.map((bound) => ({ bound, counter }));
    }
    const endpoint = lookup?.endpoint;
    if (endpoint === undefined && !this.#core.limitsUnmatched) return [];
    const name = endpoint ?? "";
    let wanted = this.#defaultCounters.get(name);
    if (wanted === undefined) {
      const counter = endpoint === undefined ? this.#unmatched : defaultCounter(endpoint);
      wanted = this.#core.defaults.map((bound) => ({ bound, counter }));
      this.#defaultCounters.set(name, wanted);
    }
    return wanted;
  }

  /** The limits that replace all others while the storage is lost: one counter for each endpoint. */
  fallbackLimits(state: RequestState): readonly WantedLimit[] {
    if (liftedFor(state).default) return NO_LIMITS;
    const endpoint = state.lookup?.endpoint;
    const counter = endpoint === undefined ? this.#unmatched : defaultCounter(endpoint);
    return this.#core.fallback.map((bound) => ({ bound, counter }));
  }

  /** What a limit counts that stands where the request is now. */
  counterOf(bound: BoundLimit, handle: Handle, req: Request, state: RequestState, ordinal: number): Counter {
    if (bound.kind === "shared") return this.#sharedCounter(bound);
    const route: Route | undefined = req.route;
    if (route !== undefined) {
      const declared = declaredMethod(route, handle, req.method);
      if (declared !== undefined) return this.#routeCounter(route, declared, req, state);
    }
    const mounted = state.lookup?.mounted.find(
      (mount) => mount.handle === handle && (req.baseUrl ?? "").endsWith(mount.prefix),
    );
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

/** Exemptions that were seen ahead, and those that ran. */
export function liftedFor(state: RequestState): Lifted {
  return state.lookup === undefined ? state.lifted : liftBoth(state.lifted, state.lookup.lifted);
}

/** The limits that the request will meet and that apply to its method. */
export function limitsOnTheWay(lookup: RouteLookup | undefined): readonly BoundLimit[] {
  return lookup?.limits ?? NO_BOUNDS;
}
