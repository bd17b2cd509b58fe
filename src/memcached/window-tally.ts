import type { Milliseconds } from "../core/clock.js";
import type { Claim } from "../core/storage.js";
import type { Policy, Receipt, StorageInstant, Verdict } from "../core/strategy.js";
import { CasRounds, type Waiter } from "./cas-rounds.js";
import { Contended } from "./connection/contended.js";
import type { Item, Link } from "./connection/link.js";
import { type Counter, CounterText } from "./counter-text.js";
import { exptime } from "./exptime.js";
import type { ProcessTime } from "./process-time.js";
import { type Spare, SpareUnits } from "./spare-units.js";
import type { PlainTally, Reservation, Tally } from "./tally.js";
import { ToppedUpCharge } from "./topped-up-charge.js";
import { previousKey, type Window, Windows } from "./window.js";
import { type ChargeList, WindowCharge } from "./window-charge.js";
import { WindowReservation } from "./window-reservation.js";
import type { WindowRule } from "./window-rules.js";

interface ChargedWindow {
  readonly charge: WindowCharge;
  /** The count of the window before. */
  readonly previous: number;
}

/** A decision that came after its window had ended is made anew so often. */
const MOST_LATE_DECISIONS = 5;

/** A counter that is written by others in between so often is left to them for a while. */
const MOST_LOSSES = 3;

/** For so long at first, then twice as long, up to the last. */
const FIRST_PAUSE_MS = 5;
const LAST_PAUSE_MS = 1000;

/**
 * Fixed windows and sliding window counters: a counter for each window, whose number is part of the stored key.
 *
 * A charge is one command that creates or adds and answers the sum; it is admitted if the sum fits. What is
 * refused is given back, so the sum is never less than what was admitted. Windows follow each other without a
 * gap; when they turn differs from client to client. Keys, not expiry times, decide which window it is.
 */
export class WindowTally<State extends object> implements Tally, PlainTally {
  readonly plain: PlainTally | undefined;
  readonly #policy: Policy;
  readonly #rule: WindowRule<State>;
  readonly #link: Link;
  readonly #time: ProcessTime;
  readonly #text: CounterText;
  readonly #windows: Windows;
  readonly #rounds: CasRounds<Counter>;
  readonly #spare = new SpareUnits();
  readonly #lifeMs: Milliseconds;

  constructor(policy: Policy, rule: WindowRule<State>, link: Link, time: ProcessTime) {
    this.#policy = policy;
    this.#rule = rule;
    this.#link = link;
    this.#time = time;
    this.plain = rule.usesPrevious ? undefined : this;
    const text = new CounterText(policy);
    this.#text = text;
    this.#windows = new Windows(policy);
    this.#lifeMs = policy.limit.windowMs * (rule.usesPrevious ? 2 : 1);
    this.#rounds = new CasRounds(link, {
      areCounters: true,
      mostLosses: MOST_LOSSES,
      read: (stored) => text.read(stored),
      write: (counter) => text.write(counter),
      exptime: () => exptime(this.#lifeMs),
    });
  }

  reserve(claim: Claim, waiter: Waiter): Promise<Reservation> {
    const now = this.#time.now();
    if (claim.cost === 0 || claim.cost > this.#policy.limit.amount) {
      return this.#look(claim, this.#windows.at(claim, now));
    }
    if (this.#rule.usesPrevious) return this.#reserveSliding(claim, waiter);
    return this.#increment(claim, now).then((charge) => this.reservationOf(charge));
  }

  prepare(claim: Claim, now: StorageInstant, list: ChargeList): WindowCharge {
    const window = this.#windows.at(claim, now);
    const lifetime = exptime(window.startsAt + this.#lifeMs - now);
    const spare = this.#spare.isEmpty ? undefined : this.#spare.take(window.key, claim.cost);
    if (spare === undefined) return new WindowCharge(claim, window, this.#text, lifetime, list);
    return new ToppedUpCharge(claim, window, this.#text, lifetime, list, {
      spare,
      send: (charge) => this.send(charge),
      unused: (left) => this.#passOn(window, left, LAST_PAUSE_MS).catch(() => {}),
    });
  }

  send(charge: WindowCharge): void {
    this.#link.increment(charge);
  }

  /** `previous`: the count of the window before. */
  reservationOf(charge: WindowCharge, previous = 0): Reservation {
    const { claim, window } = charge;
    const { mark, count } = this.#text.read(charge.item.text);
    const state = this.#state(window, count - claim.cost, previous);
    const undo = () => this.#giveBack(window, claim.cost, mark, charge.item);
    return new WindowReservation(this.#rule.strategy, claim, state, this.#within(window), mark, undo);
  }

  async test(claim: Claim): Promise<Verdict> {
    const window = this.#windows.at(claim, this.#time.now());
    const state = await this.#read(window);
    return this.#rule.strategy.test(state, this.#policy, claim.cost, this.#within(window));
  }

  async refund(claim: Claim, receipt: Receipt): Promise<void> {
    const window = this.#windows.at(claim, this.#rule.startOf(receipt.receipt, this.#policy));
    if (this.#time.now() < window.startsAt + this.#lifeMs) {
      await this.#giveBack(window, claim.cost, receipt.refundsSeen);
    }
  }

  async clear(claim: Claim): Promise<void> {
    const window = this.#windows.at(claim, this.#time.now());
    await Promise.all([
      this.#link.remove(window.key),
      this.#rule.usesPrevious ? this.#link.remove(previousKey(window)) : undefined,
    ]);
  }

  #increment(claim: Claim, now: StorageInstant): Promise<WindowCharge> {
    return new Promise((resolve, reject) => {
      const arrived = (charge: WindowCharge) => {
        if (charge.error === undefined) resolve(charge);
        else reject(charge.error);
      };
      this.send(this.prepare(claim, now, { arrived }));
    });
  }

  /** Others may have read the window as the previous one before a late charge arrived in it: that one is void. */
  async #reserveSliding(claim: Claim, waiter: Waiter): Promise<Reservation> {
    for (let late = 0; late < MOST_LATE_DECISIONS; late++) {
      const now = this.#time.now();
      const { charge, previous } = await this.#incrementAndRead(claim, now);
      const { window } = charge;
      const reservation = this.reservationOf(charge, previous);
      const isLate = this.#time.now() >= window.endsAt;
      if (!isLate || !reservation.verdict.allowed || waiter.isOver) return reservation;
      await reservation.undo();
    }
    throw new Error(`Answers take longer than the window of "${this.#policy.limit}".`);
  }

  /** Reads the window before while the charge is made; takes the charge back when only the reading fails. */
  async #incrementAndRead(claim: Claim, now: StorageInstant): Promise<ChargedWindow> {
    const [charged, previous] = await Promise.allSettled([
      this.#increment(claim, now),
      this.#count(previousKey(this.#windows.at(claim, now))),
    ]);
    if (charged.status === "rejected") throw charged.reason;
    const charge = charged.value;
    if (previous.status === "fulfilled") return { charge, previous: previous.value };
    this.reservationOf(charge)
      .undo()
      .catch(() => {});
    throw previous.reason;
  }

  /** Decides what can charge nothing. */
  async #look(claim: Claim, window: Window): Promise<Reservation> {
    const state = await this.#read(window);
    return new WindowReservation(this.#rule.strategy, claim, state, this.#within(window), 0, undefined);
  }

  async #read(window: Window): Promise<State> {
    const [current, previous] = await Promise.all([
      this.#count(window.key),
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

  /** Writes a charge off, or passes it on while others leave no gap to write in. */
  async #giveBack(window: Window, units: number, mark: number, known?: Item): Promise<void> {
    const spare = { mark, units };
    if (!(await this.#writeOff(window, spare, known))) await this.#passOn(window, spare, FIRST_PAUSE_MS);
  }

  /** Lets later hits of this process have it, and writes off what they leave: while the counter means something. */
  async #passOn(window: Window, { mark, units }: Spare, firstPauseMs: Milliseconds): Promise<void> {
    const endsAt = window.startsAt + this.#lifeMs;
    let left = units;
    for (
      let pauseMs = firstPauseMs;
      this.#time.now() < endsAt;
      pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)
    ) {
      left = await this.#spare.offer(window.key, { mark, units: left }, pauseMs);
      if (left === 0 || (await this.#writeOff(window, { mark, units: left }))) return;
    }
  }

  /** Never creates a counter, and never takes from one that is not the one that was charged. */
  #writeOff(window: Window, { mark, units }: Spare, known?: Item): Promise<boolean> {
    const written = this.#rounds.run(
      window.key,
      (counter) => {
        const isOurs = counter !== undefined && counter.mark === mark;
        const next = isOurs ? { mark, count: Math.max(0, counter.count - units) } : undefined;
        return { result: true, next };
      },
      undefined,
      known,
    );
    return written.catch((error: unknown) => {
      if (error instanceof Contended) return false;
      throw error;
    });
  }

  /** Now, or the window's last instant when the answer came after it. */
  #within(window: Window): StorageInstant {
    return Math.min(this.#time.now(), window.endsAt - 1);
  }
}
