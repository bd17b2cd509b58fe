import type { Request, Response } from "express";
import type { LimiterCore } from "./limiter-core.js";
import type { Phases } from "./phases.js";
import type { RequestState } from "./request-state.js";

/** One request before one limiter. */
export interface LimitedRequest {
  readonly core: LimiterCore;
  readonly phases: Phases;
  readonly req: Request;
  readonly res: Response;
  readonly state: RequestState;
}
