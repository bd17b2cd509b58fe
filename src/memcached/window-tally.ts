import type { Milliseconds } from "../core/clock.js";
import type { Claim } from "../core/storage.js";
import type { Policy, Receipt, StorageInstant, Verdict } from "../core/strategy.js";
import { CasRounds, type Waiter } from "./cas-rounds.js";
import { hashText } from "./connection/hash-text.js";
import type { Item, Link } from "./connection/link.js";
import { type Counter, CounterText } from "./counter-text.js";
import { exptime } from "./exptime.js";
import { itemKey } from "./item-key.js";
import type { ProcessTime } from "./process-time.js";
import type { Reservation, Tally } from "./tally.js";
import type { WindowRule } from "./window-rules.js";

/** One window of one key. */
interface Window {
  /** Where its counter is stored. */
  readonly key: string;
  /** Where that of the window before it is. */
  readonly previousKey: string;
  readonly startsAt: StorageInstant;
  readonly endsAt: StorageInstant;
}

interface ChargedWindow {
  readonly item: Item;
  /** The count of the window before. */
  readonly previous: number;
}

/** A decision that came after its window had ended is made anew so often. */
const MOST_LATE_DECISIONS = 5;

/**
 * Fixed windows and sliding window counters: a counter for each window, whose number is part of the stored key.
 *
 * A charge is one command that creates or adds and answers the sum; it is admitted if the sum fits. What is
 * refused is given back, so the sum is never less than what was admitted. Windows follow each other without a
 * gap; when they turn differs from key to key. Keys, not expiry times, decide which window it is.
 */
export class WindowTally<State extends object> implements Tally {
  readonly #policy: Policy;
  readonly #rule: WindowRule<State>;
  readonly #link: Link;
  readonly #time: ProcessTime;
  readonly #text: CounterText;
  readonly #rounds: CasRounds<Counter>;
  readonly #lifeMs: Milliseconds;

  constructor(policy: Policy, rule: WindowRule<State>, link: Link, time: ProcessTime) {
    this.#policy = policy;
    this.#rule = rule;
    this.#link = link;
    this.#time = time;
    const text = new CounterText(policy);
    this.#text = text;
    this.#lifeMs = policy.limit.windowMs * (rule.usesPrevious ? 2 : 1);
    this.#rounds = new CasRounds(link, {
      read: (stored) => text.read(stored),
      write: (counter) => text.write(counter),
      exptime: () => exptime(this.#lifeMs),
    });
  }

  async reserve(claim: Claim, waiter: Waiter): Promise<Reservation> {
    for (let late = 0; late < MOST_LATE_DECISIONS; late++) {
      const window = this.#windowAt(claim, this.#time.now());
      if (claim.cost === 0 || claim.cost > this.#policy.limit.amount) return this.#look(claim, window);
      const reservation = await this.#charge(claim, window);
      // Others may have read the window as the previous one before this charge arrived in it.
      const isLate = this.#rule.usesPrevious && this.#time.now() >= window.endsAt;
      if (!isLate || !reservation.verdict.allowed || waiter.isOver) return reservation;
      await reservation.undo();
    }
    throw new Error(`Answers take longer than the window of "${this.#policy.limit}".`);
  }

  async test(claim: Claim): Promise<Verdict> {
    const window = this.#windowAt(claim, this.#time.now());
    const state = await this.#read(window);
    return this.#rule.strategy.test(state, this.#policy, claim.cost, this.#within(window));
  }

  async refund(claim: Claim, receipt: Receipt): Promise<void> {
    const window = this.#windowAt(claim, this.#rule.startOf(receipt.receipt, this.#policy));
    if (this.#time.now() < window.startsAt + this.#lifeMs) {
      await this.#giveBack(window.key, claim.cost, receipt.refundsSeen);
    }
  }

  async clear(claim: Claim): Promise<void> {
    const { key, previousKey } = this.#windowAt(claim, this.#time.now());
    await Promise.all([
      this.#link.remove(key),
      this.#rule.usesPrevious ? this.#link.remove(previousKey) : undefined,
    ]);
  }

  async #charge(claim: Claim, window: Window): Promise<Reservation> {
    const { cost } = claim;
    const leftMs = window.startsAt + this.#lifeMs - this.#time.now();
    const increment = this.#link.increment(window.key, cost, this.#text.first(cost), exptime(leftMs));
    const { item, previous } = this.#rule.usesPrevious
      ? await this.#withPrevious(increment, window, cost)
      : { item: await increment, previous: 0 };
    const { mark, count } = this.#text.read(item.text);
    const state = this.#state(window, count - cost, previous);
    return this.#reservation(claim, state, mark, this.#within(window), () => this.#undo(window, cost, item));
  }

  /** Reads the window before while the charge is made; takes the charge back when only the reading fails. */
  async #withPrevious(increment: Promise<Item>, window: Window, cost: number): Promise<ChargedWindow> {
    const [charged, previous] = await Promise.allSettled([increment, this.#count(window.previousKey)]);
    if (charged.status === "rejected") throw charged.reason;
    if (previous.status === "fulfilled") return { item: charged.value, previous: previous.value };
    this.#undo(window, cost, charged.value).catch(() => {});
    throw previous.reason;
  }

  /** Decides what can charge nothing. */
  async #look(claim: Claim, window: Window): Promise<Reservation> {
    return this.#reservation(claim, await this.#read(window), 0, this.#within(window), undefined);
  }

  #reservation(
    claim: Claim,
    state: State,
    mark: number,
    now: StorageInstant,
    undo: (() => Promise<void>) | undefined,
  ): Reservation {
    const { strategy } = this.#rule;
    const policy = this.#policy;
    const charged = strategy.hit(state, policy, claim.cost, now);
    return {
      verdict: {
        allowed: charged.allowed,
        remaining: charged.remaining,
        resetAfterMs: charged.resetAfterMs,
        retryAfterMs: charged.retryAfterMs,
        receipt: charged.receipt,
        refundsSeen: mark,
      },
      isHeld: undo !== undefined,
      before: () => strategy.test(state, policy, claim.cost, now),
      after: () => strategy.test(charged.state, policy, claim.cost, now),
      undo: undo ?? (() => Promise.resolve()),
    };
  }

  async #read(window: Window): Promise<State> {
    const [current, previous] = await Promise.all([
      this.#count(window.key),
      this.#rule.usesPrevious ? this.#count(window.previousKey) : 0,
    ]);
    return this.#state(window, current, previous);
  }

  async #count(key: string): Promise<number> {
    const item = await this.#link.read(key);
    return item === undefined ? 0 : this.#text.read(item.text).count;
  }

  /** More than the amount is never admitted: what is above it was refused and is about to be given back. */
  #state(window: Window, current: number, previous: number): State {
    const { amount } = this.#policy.limit;
    return this.#rule.state(Math.max(0, Math.min(current, amount)), Math.min(previous, amount), window);
  }

  #undo(window: Window, cost: number, item: Item): Promise<void> {
    return this.#giveBack(window.key, cost, this.#text.read(item.text).mark, item);
  }

  /** Never creates a counter, and never takes from one that is not the one that was charged. */
  #giveBack(key: string, cost: number, mark: number, known?: Item): Promise<void> {
    return this.#rounds.run(
      key,
      (counter) => {
        const isOurs = counter !== undefined && counter.mark === mark;
        const next = isOurs ? { mark, count: Math.max(0, counter.count - cost) } : undefined;
        return { result: undefined, next };
      },
      undefined,
      known,
    );
  }

  #windowAt(claim: Claim, instant: StorageInstant): Window {
    const { windowMs } = this.#policy.limit;
    const key = itemKey(claim.key);
    const phaseMs = Math.floor((hashText(key) / 2 ** 32) * windowMs);
    const number = Math.floor((instant + phaseMs) / windowMs);
    const startsAt = number * windowMs - phaseMs;
    return {
      key: `${key}#${number}`,
      previousKey: `${key}#${number - 1}`,
      startsAt,
      endsAt: startsAt + windowMs,
    };
  }

  /** Now, or the window's last instant when the answer came after it. */
  #within(window: Window): StorageInstant {
    return Math.min(this.#time.now(), window.endsAt - 1);
  }
}
