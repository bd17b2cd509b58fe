import type { IncomingMessage } from "node:http";
import type { EpochMilliseconds } from "../core/clock.js";
import type { NamedClaim } from "../core/decision.js";
import type { Verdict } from "../core/strategy.js";
import type { BoundLimit } from "./bound-limit.js";
import type { Counter } from "./counters.js";
import type { Lifted } from "./marks.js";
import { NOTHING_LIFTED } from "./marks.js";
import type { RouteLookup } from "./route-lookup.js";

/** A claim with the limit that makes it. */
export interface RequestClaim extends NamedClaim {
  readonly bound: BoundLimit;
  readonly counter: Counter;
}

/** A claim that was decided for a request. */
export interface DecidedClaim {
  readonly claim: RequestClaim;
  readonly verdict: Verdict;
  /** The list it was decided in, which tells the storage that decided it. */
  readonly verdicts: readonly Verdict[];
  /** It was charged, and the charge stands. */
  isCharged: boolean;
}

/** What one limiter knows of one request. */
export class RequestState {
  lookup: RouteLookup | undefined;
  /** Exemptions that ran as middleware. */
  lifted: Lifted = NOTHING_LIFTED;
  /** A request filter said that this request is not limited at all. */
  isSkipped = false;
  isFiltered = false;
  isGlobalDone = false;
  isApplicationDone = false;
  /** Limits that stood on the way and were decided, where they stood or together with a neighbour before them. */
  readonly passed: { readonly bound: BoundLimit; readonly counter: Counter }[] = [];
  /** Limits that said they have none for this request. */
  readonly withoutLimits: Set<BoundLimit> = new Set();
  decided: DecidedClaim[] = [];
  /** The one that headers show, and when it was decided. */
  shown: DecidedClaim | undefined;
  shownAt: EpochMilliseconds = 0;
  /** Some charges depend on the answer, and the response is watched for it. */
  isWaitingForAnswer = false;
  /** One of them refused (or would have, when only observed). */
  isBreached = false;
}

/** Shared by all copies of the package in a process, so that two limiters find each other's headers. */
const STATES: unique symbol = Symbol.for("express-limits.states") as never;

interface WithStates {
  [STATES]?: Map<object, RequestState>;
}

/** The state that a limiter keeps for a request, made on first use. */
export function stateOf(owner: object, req: IncomingMessage & WithStates): RequestState {
  let states = req[STATES];
  if (states === undefined) {
    states = new Map();
    req[STATES] = states;
  }
  let state = states.get(owner);
  if (state === undefined) {
    state = new RequestState();
    states.set(owner, state);
  }
  return state;
}

const NO_STATES: ReadonlyMap<object, RequestState> = new Map();

/** The states of all limiters that have met this request. */
export function statesOf(req: IncomingMessage & WithStates): ReadonlyMap<object, RequestState> {
  return req[STATES] ?? NO_STATES;
}

/** The state, if the limiter has met this request. */
export function existingState(owner: object, req: IncomingMessage & WithStates): RequestState | undefined {
  return req[STATES]?.get(owner);
}
