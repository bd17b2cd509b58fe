import type { IncomingMessage, ServerResponse } from "node:http";
import type { Request, Response } from "express";
import { isPromise, type MaybePromise, whenReady } from "../core/when-ready.js";
import type { BoundLimit } from "./bound-limit.js";
import type { WantedLimit } from "./collect-claims.js";
import { evaluate, type LimitedRequest, type Outcome } from "./evaluate-request.js";
import type { Handle } from "./express-internals.js";
import { giveBack } from "./give-back.js";
import type { LimiterCore } from "./limiter-core.js";
import type { Phases } from "./phases.js";
import { reject } from "./rejection.js";
import type { RequestState } from "./request-state.js";
import { stateOf } from "./request-state.js";
import { neighboursOf } from "./route-run.js";

/** Goes on to the next handler, or to the error handlers. */
export type Next = (error?: unknown) => void;

/** A middleware for any route: typed by what Node gives, so that it fits handlers of any parameters and bodies. */
export type LimitMiddleware = (req: IncomingMessage, res: ServerResponse, next: Next) => void;

/** A step of ours; Express hands it its own request. */
type Step = (req: Request, res: Response, next: Next) => void;

/** One limiter's parts that middleware needs. */
export interface LimiterParts {
  readonly core: LimiterCore;
  readonly phases: Phases;
}

/** The middleware for `app.use`: meta, application and default limits, before Express has routed. */
export function globalMiddleware({ core, phases }: LimiterParts): LimitMiddleware {
  const expressLimits: Step = (req, res, next) => {
    if (!core.isEnabled) return next();
    const state = stateOf(core, req);
    if (state.isGlobalDone) return next();
    state.isGlobalDone = true;
    run({ core, req, res, state }, next, (request) => {
      if (phases.needsLookup) state.lookup = core.lookups.forRequest(req);
      if (state.lookup?.answersOptions === true) return undefined;
      return evaluate(request, phases.globalLimits(req, state));
    });
  };
  return expressLimits as LimitMiddleware;
}

/** The middleware of one `limit()`: decides the limits that stand here, together with their neighbours. */
export function limitMiddleware(
  { core, phases }: LimiterParts,
  bound: BoundLimit,
  ordinal: number,
): LimitMiddleware {
  const expressLimit: Step = (req, res, next) => {
    if (!core.isEnabled) return next();
    const state = stateOf(core, req);
    run({ core, req, res, state }, next, (request) => {
      lookAgain(core, expressLimit, req, state);
      const counter = phases.counterOf(bound, expressLimit, req, state, ordinal);
      if (state.passed.some((passed) => passed.bound === bound && passed.counter === counter))
        return undefined;
      const own = [
        { bound, counter },
        ...neighboursOf(expressLimit, req, core.marks, (other, handle) => ({
          bound: other,
          counter: phases.counterOf(other, handle, req, state, ordinal),
        })),
      ];
      state.passed.push(...own);
      return decideOwn(request, phases, own);
    });
  };
  return expressLimit as LimitMiddleware;
}

/** Decides what applies where the request is now, and was not decided yet. */
export function checkNow({ core, phases }: LimiterParts, req: Request, res: Response): MaybePromise<Outcome> {
  const state = stateOf(core, req);
  if (!core.isEnabled) return undefined;
  return whenReady(isFilteredOut({ core, req, res, state }), (isOut) => {
    if (isOut) return undefined;
    if (state.lookup === undefined && phases.needsLookup) state.lookup = core.lookups.forRequest(req);
    return evaluate({ core, req, res, state }, phases.globalLimits(req, state));
  });
}

function decideOwn(
  request: LimitedRequest,
  phases: Phases,
  own: readonly WantedLimit[],
): MaybePromise<Outcome> {
  const { req, state } = request;
  const decide = () =>
    evaluate(request, phases.routeLimits(own, req, state), phases.defaultLimits(state.lookup, req));
  return whenReady(giveBackUnseenDefaults(request, own), decide);
}

/**
 * A limit that the look-ahead could not see, in a wrapped handler or a mounted app: the default limits that
 * were charged in its stead are given back.
 */
function giveBackUnseenDefaults(
  { core, state }: LimitedRequest,
  own: readonly WantedLimit[],
): MaybePromise<void> {
  const isDefault = (entry: { claim: { bound: BoundLimit } }) => entry.claim.bound.kind === "default";
  if (!own.some(({ bound }) => bound.overridesDefaults && isUnseen(bound, state))) return;
  const defaults = state.decided.filter(isDefault);
  state.decided = state.decided.filter((entry) => !isDefault(entry));
  return giveBack(core, defaults);
}

function isUnseen(bound: BoundLimit, { lookup }: RequestState): boolean {
  return lookup?.marks.every((mark) => mark.kind !== "limit" || mark.bound !== bound) ?? true;
}

/** The look-ahead of the global phase covers this place, or a fresh one is made from here. */
function lookAgain(core: LimiterCore, handle: Handle, req: Request, state: RequestState): void {
  const { lookup } = state;
  const isCovered =
    lookup?.candidates.some((candidate) => candidate.route === (req.route as unknown)) === true ||
    lookup?.mounted.some((mounted) => mounted.handle === handle) === true;
  if (!isCovered) state.lookup = core.lookups.forRequest(req) ?? lookup;
}

/** Runs a step between `req` and `next`: nothing that it throws, now or later, is lost. */
function run(
  request: LimitedRequest,
  next: Next,
  step: (request: LimitedRequest) => MaybePromise<Outcome>,
): void {
  let outcome: MaybePromise<Outcome>;
  try {
    outcome = whenReady(isFilteredOut(request), (isOut) => (isOut ? undefined : step(request)));
  } catch (error) {
    next(error);
    return;
  }
  if (isPromise(outcome)) outcome.then((decided) => finish(request, decided, next), next);
  else finish(request, outcome, next);
}

function finish(request: LimitedRequest, refused: Outcome, next: Next): void {
  if (refused === undefined) next();
  else reject({ ...request, refused }).then((isPassedOn) => isPassedOn && next(refused.error), next);
}

/** Request filters are asked once for a request. */
function isFilteredOut({ core, req, res, state }: LimitedRequest): MaybePromise<boolean> {
  if (state.isFiltered || core.filters.length === 0) return state.isSkipped;
  state.isFiltered = true;
  return askFilters(core, req, res, state);
}

async function askFilters(
  core: LimiterCore,
  req: Request,
  res: Response,
  state: RequestState,
): Promise<boolean> {
  for (const filter of core.filters) {
    if (await filter(req, res)) state.isSkipped = true;
  }
  return state.isSkipped;
}
