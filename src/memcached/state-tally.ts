import type { Claim } from "../core/storage.js";
import type { Policy, Receipt, StorageInstant, Verdict } from "../core/strategy.js";
import { CasRounds, type StepResult, type Waiter } from "./cas-rounds.js";
import type { Link } from "./connection/link.js";
import { exptime } from "./exptime.js";
import { itemKey } from "./item-key.js";
import type { ProcessTime } from "./process-time.js";
import type { StateForm } from "./state-forms.js";
import type { Reservation, Tally } from "./tally.js";

/** A state in Memcached. */
interface Kept<State> {
  /** Names this life of the item: one that was evicted and made anew has another. */
  readonly mark: number;
  readonly state: State;
}

/** Marks are whole numbers below; room is left for a token bucket to count its refunds on from one. */
const MARKS = 2 ** 50;

/** Each loss is a round of another process: with fifty of them one in eight writes would lose so often. */
const MOST_LOSSES = 100;

/**
 * Token buckets, moving windows and blocks: the strategy's state as text, read, stepped and written back if
 * nobody else wrote. Two round trips, however many decisions wait for the same key in this process.
 */
export class StateTally<State extends object> implements Tally {
  readonly plain = undefined;
  readonly #policy: Policy;
  readonly #form: StateForm<State>;
  readonly #link: Link;
  readonly #time: ProcessTime;
  readonly #rounds: CasRounds<Kept<State>>;

  constructor(policy: Policy, form: StateForm<State>, link: Link, time: ProcessTime) {
    this.#policy = policy;
    this.#form = form;
    this.#link = link;
    this.#time = time;
    this.#rounds = new CasRounds(link, {
      areCounters: false,
      mostLosses: MOST_LOSSES,
      read: (text) => this.#readText(text),
      write: ({ mark, state }) => [mark, ...form.write(state)].join(","),
      exptime: ({ state }) => exptime(form.endsAt(state, policy) - time.now()),
    });
  }

  reserve(claim: Claim, waiter: Waiter): Promise<Reservation> {
    return this.#rounds.run(itemKey(claim.key), (kept) => this.#hit(claim, kept), waiter);
  }

  async test(claim: Claim): Promise<Verdict> {
    const item = await this.#link.read(itemKey(claim.key));
    const kept = item === undefined ? undefined : this.#readText(item.text);
    const now = this.#time.now();
    return this.#form.strategy.test(this.#live(kept, now)?.state, this.#policy, claim.cost, now);
  }

  refund(claim: Claim, receipt: Receipt): Promise<void> {
    return this.#rounds.run(itemKey(claim.key), (kept) => ({
      result: undefined,
      next: this.#refunded(claim, receipt, kept),
    }));
  }

  clear(claim: Claim): Promise<void> {
    return this.#link.remove(itemKey(claim.key));
  }

  #hit(claim: Claim, kept: Kept<State> | undefined): StepResult<Kept<State>, Reservation> {
    const { strategy } = this.#form;
    const policy = this.#policy;
    const now = this.#time.now();
    const { mark, state } = this.#live(kept, now) ?? this.#born(now);
    const before = strategy.test(state, policy, claim.cost, now);
    const charged = strategy.hit(state, policy, claim.cost, now);
    const after = strategy.test(charged.state, policy, claim.cost, now);
    const isHeld = charged.allowed && claim.cost > 0 && charged.state !== undefined;
    const verdict = {
      allowed: charged.allowed,
      remaining: charged.remaining,
      resetAfterMs: charged.resetAfterMs,
      retryAfterMs: charged.retryAfterMs,
      receipt: charged.receipt,
      refundsSeen: this.#form.lastMark(charged.state ?? state, mark),
    };
    const undo = () => (isHeld ? this.refund(claim, verdict) : Promise.resolve());
    const next = isHeld && charged.state !== undefined ? { mark, state: charged.state } : undefined;
    return { result: { verdict, isHeld, before: () => before, after: () => after, undo }, next };
  }

  /** A receipt of another life of the item frees nothing. */
  #refunded(claim: Claim, receipt: Receipt, kept: Kept<State> | undefined): Kept<State> | undefined {
    const now = this.#time.now();
    const live = this.#live(kept, now);
    if (live === undefined) return undefined;
    const { mark, state } = live;
    if (receipt.refundsSeen < mark || receipt.refundsSeen > this.#form.lastMark(state, mark))
      return undefined;
    const next = this.#form.strategy.refund(state, this.#policy, claim.cost, receipt, now);
    return { mark, state: next ?? this.#form.none(this.#policy, now, mark) };
  }

  #live(kept: Kept<State> | undefined, now: StorageInstant): Kept<State> | undefined {
    return kept !== undefined && this.#form.endsAt(kept.state, this.#policy) > now ? kept : undefined;
  }

  #born(now: StorageInstant): Kept<State> {
    const mark = 1 + Math.floor(Math.random() * MARKS);
    return { mark, state: this.#form.none(this.#policy, now, mark) };
  }

  #readText(text: string): Kept<State> | undefined {
    const [mark, ...fields] = text.split(",");
    const state = this.#form.read(fields);
    return state === undefined || !Number.isSafeInteger(Number(mark))
      ? undefined
      : { mark: Number(mark), state };
  }
}
