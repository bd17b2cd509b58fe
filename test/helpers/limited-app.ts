import type { Express, NextFunction, Request, Response } from "express";
import { Limiter, type LimiterOptions } from "express-limits";
import { ManualClock } from "express-limits/testing";
import type { ExpressFunction } from "./expresses.js";

/** An instant that is a whole second. */
export const START = 1_700_000_000_000;

/** Answers "ok". */
export const ok = (_req: unknown, res: Response): void => {
  res.send("ok");
};

/** Does nothing. */
export const pass = (_req: unknown, _res: unknown, next: () => void): void => next();

/** Every error of a request, as it came, and a plain answer with its status. */
export function errorSink() {
  const errors: unknown[] = [];
  const handler = (error: { status?: number }, _req: Request, res: Response, _next: NextFunction): void => {
    errors.push(error);
    res.status(error?.status ?? 500).send("error handled");
  };
  return { errors, handler };
}

/** An app, a limiter whose time stands still, and, unless said otherwise, its middleware in front. */
export function limitedApp(
  express: ExpressFunction,
  options: LimiterOptions = {},
  mount = true,
): { readonly app: Express; readonly limiter: Limiter; readonly clock: ManualClock } {
  const app = express();
  app.set("env", "test");
  const clock = new ManualClock(START);
  const limiter = new Limiter({ clock, ...options });
  if (mount) app.use(limiter.middleware());
  return { app, limiter, clock };
}
