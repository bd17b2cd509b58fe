import type { Milliseconds } from "./clock.js";
import type { StorageInstant, Transition, Verdict } from "./strategy.js";

/**
 * A verdict.
 *
 * A class, though it is nothing but data: V8 goes on making object literals in a shape that another literal's
 * numbers have outdated, and mends them one by one. With two strategies in a process that took 300 ns a hit.
 */
export class CountedVerdict implements Verdict {
  readonly allowed: boolean;
  readonly remaining: number;
  readonly resetAfterMs: Milliseconds;
  readonly retryAfterMs: Milliseconds;
  readonly receipt: number;
  readonly refundsSeen: number;

  constructor(
    allowed: boolean,
    remaining: number,
    resetAfterMs: Milliseconds,
    retryAfterMs: Milliseconds,
    receipt: number,
    refundsSeen: number,
  ) {
    this.allowed = allowed;
    this.remaining = remaining;
    this.resetAfterMs = resetAfterMs;
    this.retryAfterMs = retryAfterMs;
    this.receipt = receipt;
    this.refundsSeen = refundsSeen;
  }
}

/** A verdict with the state to keep. A class for the same reason. */
export class CountedTransition<State extends object> implements Transition<State> {
  readonly allowed: boolean;
  readonly remaining: number;
  readonly resetAfterMs: Milliseconds;
  readonly retryAfterMs: Milliseconds;
  readonly receipt: number;
  readonly refundsSeen: number;
  readonly state: State | undefined;
  readonly expiresAt: StorageInstant;

  constructor(verdict: Verdict, state: State | undefined, expiresAt: StorageInstant) {
    this.allowed = verdict.allowed;
    this.remaining = verdict.remaining;
    this.resetAfterMs = verdict.resetAfterMs;
    this.retryAfterMs = verdict.retryAfterMs;
    this.receipt = verdict.receipt;
    this.refundsSeen = verdict.refundsSeen;
    this.state = state;
    this.expiresAt = expiresAt;
  }
}
