import type { Request, Response } from "express";
import { isPromise } from "../core/when-ready.js";
import { giveBack } from "./give-back.js";
import type { LimiterCore } from "./limiter-core.js";
import type { RequestClaim, RequestState } from "./request-state.js";

interface AnsweredRequest {
  readonly core: LimiterCore;
  readonly req: Request;
  readonly res: Response;
  readonly state: RequestState;
}

/**
 * Charges that depend on the answer: asked when the handler ends the response, given back when it says no.
 *
 * The hook is on `res.end` and not on the connection: a client that hangs up has not been answered, and its
 * charge stays until the handler says what the answer would have been.
 */
export function giveBackWhenAnswered(request: AnsweredRequest): void {
  if (!request.state.isWaitingForAnswer && hasConditional(request.state.decided)) waitForAnswer(request);
}

function waitForAnswer(request: AnsweredRequest): void {
  const { state, res } = request;
  state.isWaitingForAnswer = true;
  const end = res.end;
  let isEnded = false;
  const endAndSettle = function (this: Response, ...args: never[]): Response {
    const ended: Response = Reflect.apply(end, this, args);
    if (!isEnded) void settleAll(request);
    isEnded = true;
    return ended;
  };
  res.end = endAndSettle as typeof res.end;
}

async function settleAll(request: AnsweredRequest): Promise<void> {
  await Promise.all(request.state.decided.filter(isConditional).map((claim) => settle(request, claim)));
}

async function settle({ core, req, res }: AnsweredRequest, claim: RequestClaim): Promise<void> {
  try {
    const deducts = claim.bound.options.deductWhen?.(req, res) ?? true;
    if (isPromise(deducts) ? await deducts : deducts) return;
    await giveBack(core, [claim]);
  } catch (error) {
    core.logger?.error("deductWhen failed; the charge stays.", error);
  }
}

/** A loop, as every request passes here. */
function hasConditional(decided: readonly RequestClaim[]): boolean {
  for (const claim of decided) if (isConditional(claim)) return true;
  return false;
}

function isConditional({ bound, isCharged }: RequestClaim): boolean {
  return isCharged && bound.options.deductWhen !== undefined;
}
