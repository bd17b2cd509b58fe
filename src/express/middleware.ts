import type { IncomingMessage, ServerResponse } from "node:http";
import type { Request, Response } from "express";
import { isPromise, type MaybePromise } from "../core/when-ready.js";
import { admit } from "./admission.js";
import type { BoundLimit } from "./bound-limit.js";
import { ClientDenied } from "./client-denied.js";
import { type RouteRun, WantedLimit } from "./counters.js";
import { evaluate } from "./evaluate-request.js";
import { joined } from "./exact-lists.js";
import { type Handle, propertyOf } from "./express-internals.js";
import { giveBack } from "./give-back.js";
import { LimitedRequest } from "./limited-request.js";
import type { LimiterCore } from "./limiter-core.js";
import type { Phases } from "./phases.js";
import type { RateLimitExceeded } from "./rate-limit-exceeded.js";
import type { Outcome } from "./refusal.js";
import { reject, rejectDenied, writeRefusalHeaders } from "./rejection.js";
import type { Admission, RequestClaim, RequestState } from "./request-state.js";
import { stateOf } from "./request-states.js";
import type { RouteLookup } from "./route-lookup.js";
import { hasMounted, hasRoute, knownRun, neighboursOf } from "./route-run.js";

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
  const refused = await decideOrForget(request);
  if (refused === undefined || refused instanceof ClientDenied) return refused;
  writeRefusalHeaders(request, refused.error);
  return refused.error;
}

async function decideOrForget(request: LimitedRequest): Promise<Outcome | ClientDenied> {
  try {
    return await admitAndDecide(request, decideUndecided, undefined);
  } catch (error) {
    forgetPassed(request);
    throw error;
  }
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
  const { phases, req, state } = request;
  const lookedAhead = state.lookup;
  const run = runAt(request, here);
  const first = run.limits[0];
  if (first === undefined || hasPassed(state, first)) return undefined;
  state.passed = joined(state.passed, run.limits);
  const givingBack = giveBackUnseenDefaults(request, run, lookedAhead);
  if (isPromise(givingBack)) return decideOnceGivenBack(request, run, givingBack);
  return evaluate(request, phases.routeLimits(run, req, state));
}

async function decideOnceGivenBack(
  request: LimitedRequest,
  run: RouteRun,
  givingBack: Promise<void>,
): Promise<Outcome> {
  await givingBack;
  return evaluate(request, request.phases.routeLimits(run, request.req, request.state));
}

/** What is decided here: as the look-ahead of the global phase knows it, or as a fresh one from here finds it. */
function runAt(request: LimitedRequest, here: Here): RouteRun {
  const { core, req, state } = request;
  const route: unknown = propertyOf(req, "route");
  const ahead = lookAheadOf(req, state);
  const foreseen = knownRun(ahead, here.handle, route);
  if (foreseen !== undefined) return foreseen;
  const isCovered = hasRoute(ahead, route) || hasMounted(ahead, here.handle);
  if (!isCovered) state.lookup = core.lookups.forRequest(req) ?? state.lookup;
  return knownRun(state.lookup, here.handle, route) ?? findRun(request, here, route);
}

/** The look-ahead, unless a middleware changed the method since: under another, the route has other limits. */
function lookAheadOf(req: Request, { lookup }: RequestState): RouteLookup | undefined {
  return lookup?.method === (propertyOf(req, "method") ?? "GET") ? lookup : undefined;
}

/** The limit that stands here and its neighbours, with their counters; remembered for each path that is looked up. */
function findRun({ core, phases, req, state }: LimitedRequest, here: Here, route: unknown): RouteRun {
  const { placed, handle } = here;
  const { lookup } = state;
  const wantedAt = (bound: BoundLimit, its: Handle) =>
    new WantedLimit(bound, phases.counterOf(bound, its, req, state, placed.ordinal));
  const limits = [wantedAt(placed.bound, handle), ...neighboursOf(handle, req, core.marks, wantedAt)];
  const run: RouteRun = { route, limits, overridesDefaults: limits.some(overridesDefaults) };
  // A limit on a path and not on a route: which counter it is depends on the mount that the request came through.
  const isSettled = core.requestIdentifier === undefined && !hasMounted(lookup, handle);
  if (isSettled && hasRoute(lookup, route)) lookup?.runs.set(handle, run);
  return run;
}

function overridesDefaults({ bound }: WantedLimit): boolean {
  return bound.overridesDefaults;
}

function hasPassed({ passed }: RequestState, { bound, counter }: WantedLimit): boolean {
  for (const other of passed) if (other.bound === bound && other.counter === counter) return true;
  return false;
}

/**
 * A limit that the look-ahead could not see, in a wrapped handler or a mounted app: the default limits that
 * were charged in its stead are given back.
 */
function giveBackUnseenDefaults(
  { core, state }: LimitedRequest,
  run: RouteRun,
  lookedAhead: RouteLookup | undefined,
): MaybePromise<void> {
  if (!run.overridesDefaults || !state.decided.some(isDefault)) return;
  if (!run.limits.some(({ bound }) => bound.overridesDefaults && isUnseen(bound, lookedAhead))) return;
  const defaults = state.decided.filter(isDefault);
  state.decided = state.decided.filter((claim) => !isDefault(claim));
  return giveBack(core, defaults);
}

function isDefault({ bound }: RequestClaim): boolean {
  return bound.kind === "default";
}

function isUnseen(bound: BoundLimit, lookup: RouteLookup | undefined): boolean {
  return lookup?.marks.every((mark) => mark.kind !== "limit" || mark.bound !== bound) ?? true;
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
  else if (isPromise(outcome)) finishLater(request, outcome, next);
  else finish(request, outcome, next);
}

function finishLater(request: LimitedRequest, outcome: Promise<Outcome | ClientDenied>, next: Next): void {
  outcome.then(
    (decided) => finish(request, decided, next),
    (error) => fail(request, next, error),
  );
}

function admitAndDecide<At>(
  request: LimitedRequest,
  decide: Decide<At>,
  at: At,
): MaybePromise<Outcome | ClientDenied> {
  const admission = admit(request);
  if (admission === "limited") return decide(request, at);
  if (isPromise(admission)) return decideOnceAdmitted(request, admission, decide, at);
  return admission === "unlimited" ? undefined : admission;
}

async function decideOnceAdmitted<At>(
  request: LimitedRequest,
  admission: Promise<Admission>,
  decide: Decide<At>,
  at: At,
): Promise<Outcome | ClientDenied> {
  const known = await admission;
  if (known === "limited") return decide(request, at);
  return known === "unlimited" ? undefined : known;
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

function fail(request: LimitedRequest, next: Next, error: unknown): void {
  forgetPassed(request);
  next(toError(error));
}

/** Nothing was decided: who goes on after the error is limited by what comes next. What was charged before stays so. */
function forgetPassed({ state }: LimitedRequest): void {
  state.isGlobalDone = false;
  state.isApplicationDone = false;
  state.passed = [];
}

/** To Express, nothing and the words "route" and "router" mean "go on": as errors they would lift the limit. */
function toError(error: unknown): unknown {
  const goesOn = !error || error === "route" || error === "router";
  return goesOn ? new Error(`A function of a limit failed with ${String(error)}.`, { cause: error }) : error;
}
