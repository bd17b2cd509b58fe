import type { Response } from "express";

/** Express's ways to answer that return before anything is sent: a file or a template is read first. */
const SLOW_WAYS = ["render", "sendFile"] as const;

/**
 * Watches a response from now on, and says whether an answer is there or on its way.
 *
 * Who answers a second time while a template is read makes Express throw where nobody can catch it.
 */
export function watchAnswer(res: Response): () => boolean {
  let isUnderWay = false;
  const begin = (): void => {
    isUnderWay = true;
  };
  for (const way of SLOW_WAYS) {
    const answer: unknown = res[way];
    if (typeof answer !== "function") continue;
    const beginAndAnswer = function (this: Response, ...args: unknown[]): unknown {
      begin();
      return Reflect.apply(answer, this, args);
    };
    Reflect.set(res, way, beginAndAnswer);
  }
  res.once("pipe", begin);
  return () => isUnderWay || res.headersSent || res.writableEnded;
}
