import { type FixedWindowState, fixedWindow } from "../core/strategies/fixed-window.js";
import { type SlidingWindowState, slidingWindowCounter } from "../core/strategies/sliding-window-counter.js";
import type { Policy, StorageInstant, Strategy } from "../core/strategy.js";

/** What a strategy makes of the counters of windows. */
export interface WindowRule<State extends object> {
  readonly strategy: Strategy<State>;
  /** The window before the present one counts too. */
  readonly usesPrevious: boolean;
  state(current: number, previous: number, window: WindowBounds): State;
  /** When the window began in which a charge with this receipt was made. */
  startOf(receipt: number, policy: Policy): StorageInstant;
}

/** From and including `startsAt`, up to and without `endsAt`. */
export interface WindowBounds {
  readonly startsAt: StorageInstant;
  readonly endsAt: StorageInstant;
}

export const fixedWindowRule: WindowRule<FixedWindowState> = {
  strategy: fixedWindow,
  usesPrevious: false,
  state: (count, _previous, { endsAt }) => ({ count, endsAt }),
  startOf: (receipt, { limit }) => receipt - limit.windowMs,
};

export const slidingWindowRule: WindowRule<SlidingWindowState> = {
  strategy: slidingWindowCounter,
  usesPrevious: true,
  state: (current, previous, { startsAt }) => ({ current, previous, startsAt }),
  startOf: (receipt) => receipt,
};
