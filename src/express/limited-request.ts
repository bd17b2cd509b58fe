import type { Request, Response } from "express";
import type { BoundLimit } from "./bound-limit.js";
import { appended, joined } from "./exact-lists.js";
import type { KeyFunction } from "./key-functions.js";
import type { LimiterCore } from "./limiter-core.js";
import type { Phases } from "./phases.js";
import type { Identity, RequestClaim, RequestState } from "./request-state.js";

const NONE: readonly never[] = [];

/** One request before one limiter, in one phase. */
export class LimitedRequest {
  readonly core: LimiterCore;
  readonly phases: Phases;
  readonly req: Request;
  readonly res: Response;
  readonly state: RequestState;
  claims: readonly RequestClaim[] = NONE;
  /** What a key function said that gives addresses: the same to every limit, so it is asked once. */
  addressedBy: KeyFunction | undefined;
  address: Identity | undefined;
  /** Some claims only watch. */
  hasObserved = false;
  /** Limits of which a function said "none of my own", or that do not apply to this method. */
  withoutLimits: BoundLimit[] | undefined;

  constructor(core: LimiterCore, phases: Phases, req: Request, res: Response, state: RequestState) {
    this.core = core;
    this.phases = phases;
    this.req = req;
    this.res = res;
    this.state = state;
  }

  claim(claim: RequestClaim): void {
    this.claims = appended(this.claims, claim);
  }

  claimAll(claims: readonly RequestClaim[]): void {
    this.claims = joined(this.claims, claims);
  }
}
