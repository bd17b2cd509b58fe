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
import { WindowReservation } from "./window-reservation.js";
import type { WindowRule } from "./window-rules.js";

/** One window of one key. */
interface Window {
  /** The key's own part of the stored keys of all its windows. */
  readonly base: string;
  readonly number: number;
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
 *
 * Hot: a charge of a fixed window makes one promise beside the connection's own.
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

  reserve(claim: Claim, waiter: Waiter): Promise<Reservation> {
    const now = this.#time.now();
    const window = this.#windowAt(claim, now);
    if (claim.cost === 0 || claim.cost > this.#policy.limit.amount) return this.#look(claim, window);
    if (this.#rule.usesPrevious) return this.#reserveSliding(claim, waiter);
    return this.#increment(claim, window, now).then((item) => this.#counted(claim, window, item, 0));
  }

  async test(claim: Claim): Promise<Verdict> {
    const window = this.#windowAt(claim, this.#time.now());
    const state = await this.#read(window);
    return this.#rule.strategy.test(state, this.#policy, claim.cost, this.#within(window));
  }

  async refund(claim: Claim, receipt: Receipt): Promise<void> {
    const window = this.#windowAt(claim, this.#rule.startOf(receipt.receipt, this.#policy));
    if (this.#time.now() < window.startsAt + this.#lifeMs) {
      await this.#giveBack(window, claim.cost, receipt.refundsSeen);
    }
  }

  async clear(claim: Claim): Promise<void> {
    const window = this.#windowAt(claim, this.#time.now());
    await Promise.all([
      this.#link.remove(currentKey(window)),
      this.#rule.usesPrevious ? this.#link.remove(previousKey(window)) : undefined,
    ]);
  }

  #increment({ cost }: Claim, window: Window, now: StorageInstant): Promise<Item> {
    const leftMs = window.startsAt + this.#lifeMs - now;
    return this.#link.increment(currentKey(window), cost, this.#text.first(cost), exptime(leftMs));
  }

  #counted(claim: Claim, window: Window, item: Item, previous: number): Reservation {
    const { mark, count } = this.#text.read(item.text);
    const state = this.#state(window, count - claim.cost, previous);
    const undo = () => this.#giveBack(window, claim.cost, mark, item);
    return new WindowReservation(this.#rule.strategy, claim, state, this.#within(window), mark, undo);
  }

  /** Others may have read the window as the previous one before a late charge arrived in it: that one is void. */
  async #reserveSliding(claim: Claim, waiter: Waiter): Promise<Reservation> {
    for (let late = 0; late < MOST_LATE_DECISIONS; late++) {
      const now = this.#time.now();
      const window = this.#windowAt(claim, now);
      const { item, previous } = await this.#incrementAndRead(claim, window, now);
      const reservation = this.#counted(claim, window, item, previous);
      const isLate = this.#time.now() >= window.endsAt;
      if (!isLate || !reservation.verdict.allowed || waiter.isOver) return reservation;
      await reservation.undo();
    }
    throw new Error(`Answers take longer than the window of "${this.#policy.limit}".`);
  }

  /** Reads the window before while the charge is made; takes the charge back when only the reading fails. */
  async #incrementAndRead(claim: Claim, window: Window, now: StorageInstant): Promise<ChargedWindow> {
    const [charged, previous] = await Promise.allSettled([
      this.#increment(claim, window, now),
      this.#count(previousKey(window)),
    ]);
    if (charged.status === "rejected") throw charged.reason;
    if (previous.status === "fulfilled") return { item: charged.value, previous: previous.value };
    const { mark } = this.#text.read(charged.value.text);
    this.#giveBack(window, claim.cost, mark, charged.value).catch(() => {});
    throw previous.reason;
  }

  /** Decides what can charge nothing. */
  async #look(claim: Claim, window: Window): Promise<Reservation> {
    const state = await this.#read(window);
    return new WindowReservation(this.#rule.strategy, claim, state, this.#within(window), 0, undefined);
  }

  async #read(window: Window): Promise<State> {
    const [current, previous] = await Promise.all([
      this.#count(currentKey(window)),
      this.#rule.usesPrevious ? this.#count(previousKey(window)) : 0,
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

  /** Never creates a counter, and never takes from one that is not the one that was charged. */
  #giveBack(window: Window, cost: number, mark: number, known?: Item): Promise<void> {
    return this.#rounds.run(
      currentKey(window),
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
    const base = itemKey(claim.key);
    const phaseMs = Math.floor((hashText(base) / 2 ** 32) * windowMs);
    const number = Math.floor((instant + phaseMs) / windowMs);
    const startsAt = number * windowMs - phaseMs;
    return { base, number, startsAt, endsAt: startsAt + windowMs };
  }

  /** Now, or the window's last instant when the answer came after it. */
  #within(window: Window): StorageInstant {
    return Math.min(this.#time.now(), window.endsAt - 1);
  }
}

/** Where a window's counter is stored. */
function currentKey({ base, number }: Window): string {
  return `${base}#${number}`;
}

function previousKey({ base, number }: Window): string {
  return `${base}#${number - 1}`;
}
