import { type BlockState, blockStrategy } from "../core/strategies/block.js";
import { InstantLog } from "../core/strategies/instant-log.js";
import { movingWindow } from "../core/strategies/moving-window.js";
import { type TokenBucketState, tokenBucket } from "../core/strategies/token-bucket.js";
import type { Policy, StorageInstant, Strategy } from "../core/strategy.js";

/** How a strategy's state is kept as text. */
export interface StateForm<State extends object> {
  readonly strategy: Strategy<State>;
  /** A state that equals none. `mark` names this life of the item. */
  none(policy: Policy, now: StorageInstant, mark: number): State;
  read(fields: readonly string[]): State | undefined;
  write(state: State): readonly (string | number)[];
  /** From then on it equals none. */
  endsAt(state: State, policy: Policy): StorageInstant;
  /** The mark's further values: a token bucket counts its refunds on from it. */
  lastMark(state: State, mark: number): number;
}

/** `fullAt, refunded, keepUntil`. Refunds are counted from the mark on, so that receipts tell lives apart. */
export const tokenBucketForm: StateForm<TokenBucketState> = {
  strategy: tokenBucket,
  none(policy, now, mark) {
    const nowTicks = now * policy.ticksPerMs;
    // A tick longer than now, or the strategy would take it for no state and count refunds from 0.
    return { fullAt: nowTicks, refunded: mark, keepUntil: nowTicks + 1 };
  },
  read([fullAt, refunded, keepUntil]) {
    const state = { fullAt: Number(fullAt), refunded: Number(refunded), keepUntil: Number(keepUntil) };
    return Number.isFinite(state.fullAt + state.refunded + state.keepUntil) ? state : undefined;
  },
  write: ({ fullAt, refunded, keepUntil }) => [fullAt, refunded, keepUntil],
  endsAt: ({ keepUntil }, { ticksPerMs }) => Math.ceil(keepUntil / ticksPerMs),
  lastMark: ({ refunded }) => refunded,
};

/** The first instant, then the distance from entry to entry; `*cost` where it is not 1. */
export const movingWindowForm: StateForm<InstantLog> = {
  strategy: movingWindow,
  none: () => new InstantLog(),
  read(fields) {
    const log = new InstantLog();
    let instant = 0;
    for (const field of fields) {
      const [distance, cost] = field.split("*");
      instant += Number(distance);
      const units = cost === undefined ? 1 : Number(cost);
      if (!Number.isFinite(instant) || !(units > 0)) return undefined;
      log.append(instant, units);
    }
    return log;
  },
  write(log) {
    let before = 0;
    return log.entries().map(({ instant, cost }) => {
      const distance = instant - before;
      before = instant;
      return cost === 1 ? distance : `${distance}*${cost}`;
    });
  },
  endsAt: (log, { limit }) => (log.newest ?? Number.NEGATIVE_INFINITY) + limit.windowMs,
  lastMark: (_log, mark) => mark,
};

export const blockForm: StateForm<BlockState> = {
  strategy: blockStrategy,
  none: (_policy, now) => ({ until: now }),
  read([until]) {
    return Number.isFinite(Number(until)) ? { until: Number(until) } : undefined;
  },
  write: ({ until }) => [until],
  endsAt: ({ until }) => until,
  lastMark: (_state, mark) => mark,
};
