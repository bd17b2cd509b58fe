import type { IncomingMessage, ServerResponse } from "node:http";
import type { Request, Response } from "express";
import { isPromise, type MaybePromise, whenReady } from "../core/when-ready.js";
import { admit } from "./admission.js";
import type { BoundLimit } from "./bound-limit.js";
import { ClientDenied } from "./client-denied.js";
import type { WantedLimit } from "./counters.js";
import { evaluate } from "./evaluate-request.js";
import { type Handle, propertyOf } from "./express-internals.js";
import { giveBack } from "./give-back.js";
import { LimitedRequest } from "./limited-request.js";
import type { LimiterCore } from "./limiter-core.js";
import type { Phases } from "./phases.js";
import type { RateLimitExceeded } from "./rate-limit-exceeded.js";
import type { Outcome } from "./refusal.js";
import { reject, rejectDenied, writeRefusalHeaders } from "./rejection.js";
import type { RequestState } from "./request-state.js";
import { stateOf } from "./request-states.js";
import type { RouteLookup } from "./route-lookup.js";
import { neighboursOf } from "./route-run.js";

/** Goes on to the next handler, or to the error handlers. */
export type Next = (error?: unknown) => void;

/** A middleware for any route: typed by what Node gives, so that it fits handlers of any parameters and bodies. */
export type LimitMiddleware = (req: IncomingMessage, res: ServerResponse, next: Next) => void;

/** A step of ours; Express hands it its own request. */
type Step = (req: Request, res: Response, next: Next) => void;

/** One limiter's parts that middleware needs. Read for each request: settings may come with the app. */
export interface LimiterParts {
  readonly core: LimiterCore;
  readonly phases: Phases;
}

/** A limit that middleware stands for; made anew when settings come with the app. */
export interface PlacedLimit {
  readonly kind: "limit";
  readonly bound: BoundLimit;
  /** The how-manieth limit of its limiter it is, from 1. */
  readonly ordinal: number;
}

/** The middleware for `app.use`: meta, application and default limits, before Express has routed. */
export function globalMiddleware(parts: LimiterParts): LimitMiddleware {
  const expressLimits: Step = (req, res, next) => {
    const { core, phases } = parts;
    if (!core.isEnabled) return next();
    const state = stateOf(core, req);
    if (state.isGlobalDone) return next();
    state.isGlobalDone = true;
    run(new LimitedRequest(core, phases, req, res, state), next, decideGlobal, undefined);
  };
  return expressLimits as LimitMiddleware;
}

/** The middleware of one `limit()`: decides the limits that stand here, together with their neighbours. */
export function limitMiddleware(parts: LimiterParts, placed: PlacedLimit): LimitMiddleware {
  const expressLimit: Step = (req, res, next) => {
    const { core, phases } = parts;
    if (!core.isEnabled) return next();
    run(new LimitedRequest(core, phases, req, res, stateOf(core, req)), next, decideHere, here);
  };
  const here: Here = { placed, handle: expressLimit };
  return expressLimit as LimitMiddleware;
}

/** Decides what applies where the request is now, and was not decided yet. The error of a refusal, its headers set. */
export async function checkNow(
  { core, phases }: LimiterParts,
  req: Request,
  res: Response,
): Promise<RateLimitExceeded | ClientDenied | undefined> {
  if (!core.isEnabled) return undefined;
  const request = new LimitedRequest(core, phases, req, res, stateOf(core, req));
  const refused = await admitAndDecide(request, decideUndecided, undefined);
  if (refused === undefined || refused instanceof ClientDenied) return refused;
  writeRefusalHeaders(request, refused.error);
  return refused.error;
}

/** A limit's middleware, as it stands in a stack. */
interface Here {
  readonly placed: PlacedLimit;
  readonly handle: Handle;
}

function decideGlobal(request: LimitedRequest): MaybePromise<Outcome> {
  const { core, phases, req, state } = request;
  if (phases.needsLookup) {
    state.lookup = core.lookups.forRequest(req);
    if (state.lookup?.answersOptions === true) return undefined;
  }
  const wanted = phases.globalLimits(req, state);
  if (wanted.length === 0) rememberAddress(req);
  return evaluate(request, wanted);
}

/** Node forgets the address when the client hangs up, unless it was read before: limits may ask for it later. */
function rememberAddress(req: Request): void {
  void propertyOf(req, "socket")?.remoteAddress;
}

function decideUndecided(request: LimitedRequest): MaybePromise<Outcome> {
  const { core, phases, req, state } = request;
  if (state.lookup === undefined && phases.needsLookup) state.lookup = core.lookups.forRequest(req);
  return evaluate(request, phases.globalLimits(req, state));
}

function decideHere(request: LimitedRequest, here: Here): MaybePromise<Outcome> {
  const { core, phases, req, state } = request;
  const lookedAhead = state.lookup;
  lookAgain(core, here.handle, req, state);
  const own = limitsFrom(request, here);
  const first = own[0];
  if (first === undefined || hasPassed(state, first)) return undefined;
  state.passed = state.passed.length === 0 ? own : state.passed.concat(own);
  const givingBack = giveBackUnseenDefaults(request, own, lookedAhead);
  if (isPromise(givingBack))
    return givingBack.then(() => evaluate(request, phases.routeLimits(own, req, state)));
  return evaluate(request, phases.routeLimits(own, req, state));
}

/** The limit that stands here and its neighbours, with their counters; remembered for each path that is looked up. */
function limitsFrom(
  { core, phases, req, state }: LimitedRequest,
  { placed, handle }: Here,
): readonly WantedLimit[] {
  const route: unknown = propertyOf(req, "route");
  const known = state.lookup?.runs.get(handle);
  if (known !== undefined && known.route === route) return known.limits;
  const counterOf = (bound: BoundLimit, its: Handle) =>
    phases.counterOf(bound, its, req, state, placed.ordinal);
  const limits = neighboursOf(handle, req, core.marks, (bound, its) => ({
    bound,
    counter: counterOf(bound, its),
  }));
  limits.unshift({ bound: placed.bound, counter: counterOf(placed.bound, handle) });
  const isSettled = route !== undefined && core.requestIdentifier === undefined;
  if (isSettled && !isMounted(handle, state)) state.lookup?.runs.set(handle, { route, limits });
  return limits;
}

/** On a path and not on a route: which counter it is depends on the mount that the request came through. */
function isMounted(handle: Handle, { lookup }: RequestState): boolean {
  return lookup?.mounted.some((mounted) => mounted.handle === handle) === true;
}

function hasPassed({ passed }: RequestState, { bound, counter }: WantedLimit): boolean {
  return passed.some((other) => other.bound === bound && other.counter === counter);
}

/**
 * A limit that the look-ahead could not see, in a wrapped handler or a mounted app: the default limits that
 * were charged in its stead are given back.
 */
function giveBackUnseenDefaults(
  { core, state }: LimitedRequest,
  own: readonly WantedLimit[],
  lookedAhead: RouteLookup | undefined,
): MaybePromise<void> {
  const isDefault = ({ bound }: { readonly bound: BoundLimit }) => bound.kind === "default";
  if (!own.some(({ bound }) => bound.overridesDefaults && isUnseen(bound, lookedAhead))) return;
  const defaults = state.decided.filter(isDefault);
  state.decided = state.decided.filter((claim) => !isDefault(claim));
  return giveBack(core, defaults);
}

function isUnseen(bound: BoundLimit, lookup: RouteLookup | undefined): boolean {
  return lookup?.marks.every((mark) => mark.kind !== "limit" || mark.bound !== bound) ?? true;
}

/** The look-ahead of the global phase covers this place, or a fresh one is made from here. */
function lookAgain(core: LimiterCore, handle: Handle, req: Request, state: RequestState): void {
  const { lookup } = state;
  const route: unknown = propertyOf(req, "route");
  const isCovered =
    lookup?.candidates.some((candidate) => candidate.route === route) === true ||
    lookup?.mounted.some((mounted) => mounted.handle === handle) === true;
  if (!isCovered) state.lookup = core.lookups.forRequest(req) ?? lookup;
}

type Decide<At> = (request: LimitedRequest, at: At) => MaybePromise<Outcome>;

/** Runs a step between `req` and `next`: nothing that it throws, now or later, is lost. */
function run<At>(request: LimitedRequest, next: Next, decide: Decide<At>, at: At): void {
  let outcome: MaybePromise<Outcome | ClientDenied>;
  request.core.proxyWarning.lookAt(request.req);
  try {
    outcome = admitAndDecide(request, decide, at);
  } catch (error) {
    fail(request, next, error);
    return;
  }
  if (outcome === undefined) next();
  else if (isPromise(outcome))
    outcome.then(
      (decided) => finish(request, decided, next),
      (error) => fail(request, next, error),
    );
  else finish(request, outcome, next);
}

function admitAndDecide<At>(
  request: LimitedRequest,
  decide: Decide<At>,
  at: At,
): MaybePromise<Outcome | ClientDenied> {
  const admission = admit(request);
  if (admission === "limited") return decide(request, at);
  return whenReady(admission, (known): MaybePromise<Outcome | ClientDenied> => {
    if (known === "limited") return decide(request, at);
    return known === "unlimited" ? undefined : known;
  });
}

function finish(request: LimitedRequest, refused: Outcome | ClientDenied, next: Next): void {
  if (refused === undefined) next();
  else if (refused instanceof ClientDenied) rejectDenied(request, refused, next);
  else
    reject(request, refused).then(
      (isPassedOn) => isPassedOn && next(refused.error),
      (error) => next(toError(error)),
    );
}

/** Nothing was decided: who goes on after the error is limited by what comes next. */
function fail({ state }: LimitedRequest, next: Next, error: unknown): void {
  state.isGlobalDone = false;
  state.isApplicationDone = false;
  next(toError(error));
}

/** To Express, nothing and the words "route" and "router" mean "go on": as errors they would lift the limit. */
function toError(error: unknown): unknown {
  const goesOn = !error || error === "route" || error === "router";
  return goesOn ? new Error(`A function of a limit failed with ${String(error)}.`, { cause: error }) : error;
}
