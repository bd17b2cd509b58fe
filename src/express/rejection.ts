import { isPromise } from "../core/when-ready.js";
import type { ClientDenied } from "./client-denied.js";
import { writeRetryAfter } from "./headers.js";
import type { ErrorMessage } from "./limit-options.js";
import type { LimitedRequest } from "./limited-request.js";
import type { RateLimitExceeded } from "./rate-limit-exceeded.js";
import type { Refused } from "./refusal.js";
import { answerDenied, answerRefusal } from "./refusal-body.js";
import { showDecisions } from "./show-decisions.js";
import { watchAnswer } from "./watch-answer.js";

/**
 * Refuses a request: headers, event, the user's handler, and then, unless that one answered, the answer.
 *
 * Resolves to true when the error is to be passed on instead.
 */
export async function reject(request: LimitedRequest, refused: Refused): Promise<boolean> {
  const { core, req, res } = request;
  const { error } = refused;
  writeRefusalHeaders(request, error);
  const message = await messageFor(request, refused);
  if (typeof message === "string" && message !== "") error.message = message;
  core.events.emit(error.isMeta ? "metaBreach" : "breach", { req, res, error, observed: false });
  if ((await isAnsweredByHandler(request, refused)) || res.headersSent || res.writableEnded) return false;
  if (core.passesBreachToNext) return true;
  answerRefusal(req, res, error, typeof message === "object" ? message : undefined);
  return false;
}

/** The headers of a refusal; `Retry-After` also when the others are switched off. Nothing may be cached. */
export function writeRefusalHeaders(request: LimitedRequest, error: RateLimitExceeded): void {
  const { core, res } = request;
  showDecisions(request);
  if (res.headersSent) return;
  writeRetryAfter(res, core.headers, error.retryAfterMs, core.clock.now());
  if (!res.hasHeader("Cache-Control")) res.setHeader("Cache-Control", "no-store");
}

async function messageFor(
  { core, req, res }: LimitedRequest,
  refused: Refused,
): Promise<Exclude<ErrorMessage, () => unknown> | undefined> {
  const message = refused.bound?.options.errorMessage ?? core.errorMessage;
  if (typeof message !== "function") return message;
  return (await message(req, res, refused.error)) ?? undefined;
}

/** Calls one handler for a request, the limit's, else the limiter's, and tells whether it answers. */
async function isAnsweredByHandler(
  { core, req, res }: LimitedRequest,
  { error, bound }: Refused,
): Promise<boolean> {
  const onLimiter = error.isMeta ? core.onMetaBreach : core.onBreach;
  const handler = error.isMeta ? onLimiter : (bound?.options.onBreach ?? onLimiter);
  if (handler === undefined) return false;
  const isAnswered = watchAnswer(res);
  const done = handler(req, res, error);
  if (isPromise(done)) await done;
  return isAnswered();
}

/** Refuses a client that is on the deny list. */
export function rejectDenied(
  { core, req, res }: LimitedRequest,
  error: ClientDenied,
  next: (error?: unknown) => void,
): void {
  core.events.emit("denied", { req, res, error });
  if (res.headersSent || res.writableEnded) return;
  if (core.passesBreachToNext) next(error);
  else answerDenied(req, res, error);
}
