import { propertyOf } from "./express-internals.js";
import { RequestState } from "./request-state.js";

/** Whoever extends it gives its private fields to the object that it is handed, and not to a new one. */
class Handed {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: what makes it work
    return object;
  }
}

/**
 * The states of a request, the latest limiter's first, kept where nobody else can see, change or print them: in a
 * private field that its list of raw headers is given.
 *
 * Measured: an entry in a `WeakMap` costs 650 ns with the garbage collector's work, a property that is added to
 * Express's request 1,700, this 70. The list is Node's, new for each request, and nobody puts another in its place.
 */
class Kept extends Handed {
  #latest: RequestState | undefined;

  static get(holder: object): RequestState | undefined {
    return #latest in holder ? holder.#latest : undefined;
  }

  static set(holder: object, state: RequestState): void {
    const kept = #latest in holder ? holder : new Kept(holder);
    kept.#latest = state;
  }
}

/** Where states are kept. */
interface Keeper {
  get(holder: object): RequestState | undefined;
  set(holder: object, state: RequestState): void;
}

/** One for all copies of the package in a process, so that two limiters find each other's headers. */
const KEEPER: Keeper = sharedKeeper();

function sharedKeeper(): Keeper {
  const name = Symbol.for("express-limits.states");
  const known: Keeper | undefined = Reflect.get(globalThis, name);
  if (known === undefined) Reflect.set(globalThis, name, Kept);
  return known ?? Kept;
}

/** The state that a limiter keeps for a request, made on first use. */
export function stateOf(owner: object, req: object): RequestState {
  const headers = rawHeadersOf(req);
  const latest = latestOf(req, headers);
  let state = latest;
  while (state !== undefined && state.owner !== owner) state = state.earlier;
  if (state !== undefined) return state;
  const made = new RequestState(owner, req, latest);
  KEEPER.set(isAnothers(KEEPER.get(headers), req) ? req : headers, made);
  return made;
}

/** The state, if the limiter has met this request. */
export function existingState(owner: object, req: object): RequestState | undefined {
  let state = latestOf(req, rawHeadersOf(req));
  while (state !== undefined && state.owner !== owner) state = state.earlier;
  return state;
}

/** The states of all limiters that have met this request, in that order. */
export function statesOf(req: object): RequestState[] {
  const states: RequestState[] = [];
  for (let state = latestOf(req, rawHeadersOf(req)); state !== undefined; state = state.earlier)
    states.unshift(state);
  return states;
}

/** Asked of the request itself only where it must be: that takes ten times as long. */
function latestOf(req: object, headers: object): RequestState | undefined {
  const kept = KEEPER.get(headers);
  return isAnothers(kept, req) ? KEEPER.get(req) : kept;
}

/** A request that was made from another may have its list of raw headers, and is a request of its own. */
function isAnothers(state: RequestState | undefined, req: object): boolean {
  return state !== undefined && state.req !== req;
}

/** The request itself where it has no such list, as those have not that tests make by hand. */
function rawHeadersOf(req: object & { readonly rawHeaders?: unknown }): object {
  const headers = propertyOf(req, "rawHeaders");
  return Array.isArray(headers) ? headers : req;
}
