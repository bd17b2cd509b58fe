import type { Request, Response } from "express";
import { isPromise } from "../core/when-ready.js";
import { writeRetryAfter } from "./headers.js";
import type { ErrorMessage } from "./limit-options.js";
import type { LimiterCore } from "./limiter-core.js";
import type { Refused } from "./refusal.js";
import { answerRefusal } from "./refusal-body.js";
import type { RequestState } from "./request-state.js";
import { showDecisions } from "./show-decisions.js";

/** A request that a limiter refuses. */
export interface RefusedRequest {
  readonly core: LimiterCore;
  readonly req: Request;
  readonly res: Response;
  readonly state: RequestState;
  readonly refused: Refused;
}

/**
 * Refuses a request: headers, event, the user's handler, and then, unless that one answered, the answer.
 *
 * Resolves to true when the error is to be passed on instead.
 */
export async function reject(request: RefusedRequest): Promise<boolean> {
  const { core, req, res, refused } = request;
  const { error } = refused;
  writeRefusalHeaders(request);
  const message = await messageFor(request);
  if (typeof message === "string" && message !== "") error.message = message;
  core.events.emit(error.isMeta ? "metaBreach" : "breach", { req, res, error, observed: false });
  await callHandler(request);
  if (res.headersSent || res.writableEnded) return false;
  if (core.passesBreachToNext) return true;
  answerRefusal(req, res, error, typeof message === "object" ? message : undefined);
  return false;
}

/** The headers of a refusal; `Retry-After` also when the others are switched off. Nothing may be cached. */
export function writeRefusalHeaders({ core, req, res, state, refused }: RefusedRequest): void {
  showDecisions({ core, req, res, state });
  if (res.headersSent) return;
  writeRetryAfter(res, core.headers, refused.error.retryAfterMs, core.clock.now());
  if (!res.hasHeader("Cache-Control")) res.setHeader("Cache-Control", "no-store");
}

async function messageFor(
  request: RefusedRequest,
): Promise<Exclude<ErrorMessage, () => unknown> | undefined> {
  const { core, req, res, refused } = request;
  const message = refused.bound?.options.errorMessage ?? core.errorMessage;
  if (typeof message !== "function") return message;
  return (await message(req, res, refused.error)) ?? undefined;
}

/** One handler for a request: the limit's, else the limiter's. */
async function callHandler({ core, req, res, refused }: RefusedRequest): Promise<void> {
  const { error, bound } = refused;
  const onLimiter = error.isMeta ? core.onMetaBreach : core.onBreach;
  const handler = error.isMeta ? onLimiter : (bound?.options.onBreach ?? onLimiter);
  const done = handler?.(req, res, error);
  if (isPromise(done)) await done;
}
