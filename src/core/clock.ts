/** A duration in milliseconds. */
export type Milliseconds = number;

/** An instant in milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMilliseconds = number;

/** Where the time comes from. Tests pass a `ManualClock`. */
export interface Clock {
  /** The present instant, in epoch milliseconds. May step back when the machine's time is corrected. */
  now(): EpochMilliseconds;
}

/** The machine's wall clock. */
export const systemClock: Clock = { now: () => Date.now() };
