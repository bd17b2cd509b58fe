import type { IncomingMessage } from "node:http";
import { type ClaimParts, KeyedClaim } from "../core/claim.js";
import type { EpochMilliseconds } from "../core/clock.js";
import type { Verdict } from "../core/strategy.js";
import type { BoundLimit } from "./bound-limit.js";
import type { ClientDenied } from "./client-denied.js";
import type { Counter } from "./counters.js";
import type { Lifted } from "./marks.js";
import { NOTHING_LIFTED } from "./marks.js";
import type { RouteLookup } from "./route-lookup.js";

/** May the request be limited, does it pass without, or is it refused before anything is counted? */
export type Admission = "limited" | "unlimited" | ClientDenied;

/** A claim with the limit that makes it. */
export class RequestClaim extends KeyedClaim {
  readonly bound: BoundLimit;
  readonly counter: Counter;

  constructor(parts: ClaimParts, bound: BoundLimit, counter: Counter) {
    super(parts);
    this.bound = bound;
    this.counter = counter;
  }
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
  readonly owner: object;
  /** The state of the limiter that met this request before. */
  readonly earlier: RequestState | undefined;
  lookup: RouteLookup | undefined;
  /** Exemptions that ran as middleware. */
  lifted: Lifted = NOTHING_LIFTED;
  /** What filters and lists said, once they were asked. */
  admission: Admission | undefined;
  isGlobalDone = false;
  isApplicationDone = false;
  /** Limits that stood on the way and were decided, where they stood or together with a neighbour before them. */
  passed: readonly WantedLimit[] = NOTHING_YET;
  /** Limits that said they have none for this request. */
  withoutLimits: readonly BoundLimit[] = NOTHING_YET;
  decided: DecidedClaim[] = [];
  /** The one that headers show, and when it was decided. */
  shown: DecidedClaim | undefined;
  shownAt: EpochMilliseconds = 0;
  /** Some charges depend on the answer, and the response is watched for it. */
  isWaitingForAnswer = false;

  constructor(owner: object, earlier: RequestState | undefined) {
    this.owner = owner;
    this.earlier = earlier;
  }
}

/** A limit and what it counts here. */
export interface WantedLimit {
  readonly bound: BoundLimit;
  readonly counter: Counter;
}

const NOTHING_YET: readonly never[] = [];

/** Shared by all copies of the package in a process, so that two limiters find each other's headers. */
const STATES: unique symbol = Symbol.for("express-limits.states") as never;

interface WithStates {
  [STATES]?: RequestState;
}

/** The state that a limiter keeps for a request, made on first use. */
export function stateOf(owner: object, req: IncomingMessage & WithStates): RequestState {
  const known = existingState(owner, req);
  if (known !== undefined) return known;
  const state = new RequestState(owner, req[STATES]);
  req[STATES] = state;
  return state;
}

/** The state, if the limiter has met this request. */
export function existingState(owner: object, req: IncomingMessage & WithStates): RequestState | undefined {
  let state = req[STATES];
  while (state !== undefined && state.owner !== owner) state = state.earlier;
  return state;
}

/** The states of all limiters that have met this request, in that order. */
export function statesOf(req: IncomingMessage & WithStates): RequestState[] {
  const states: RequestState[] = [];
  for (let state = req[STATES]; state !== undefined; state = state.earlier) states.unshift(state);
  return states;
}

/** Has more than one limiter met this request? */
export function isShared(req: IncomingMessage & WithStates): boolean {
  return req[STATES]?.earlier !== undefined;
}
