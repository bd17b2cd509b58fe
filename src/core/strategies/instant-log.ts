import type { StorageInstant } from "../strategy.js";

const FIRST_CAPACITY = 4;

/** What was charged in one millisecond. */
export interface LogEntry {
  readonly instant: StorageInstant;
  readonly cost: number;
}

/**
 * A log of charges, oldest first, as a ring: hits of one millisecond share an entry.
 *
 * Entries are added at the end and dropped at the start, both in constant time; the ring doubles when full.
 */
export class InstantLog {
  #instants = new Float64Array(FIRST_CAPACITY);
  #costs = new Float64Array(FIRST_CAPACITY);
  #head = 0;
  #length = 0;
  #total = 0;

  /** Sum of all costs in the log. */
  get total(): number {
    return this.#total;
  }

  /** When the oldest entry was made; `undefined` for an empty log. */
  get oldest(): StorageInstant | undefined {
    return this.#length === 0 ? undefined : this.#instants[this.#head];
  }

  /** When the newest entry was made; `undefined` for an empty log. */
  get newest(): StorageInstant | undefined {
    return this.#length === 0 ? undefined : this.#instants[this.#slot(this.#length - 1)];
  }

  /** All entries, oldest first, for a storage that keeps the log as text. */
  entries(): LogEntry[] {
    return Array.from({ length: this.#length }, (_, i) => ({
      instant: this.#at(this.#instants, i),
      cost: this.#at(this.#costs, i),
    }));
  }

  /** Drops what was logged at `instant` or before. */
  dropUntil(instant: StorageInstant): void {
    while (this.#length > 0 && this.#at(this.#instants, 0) <= instant) {
      this.#total -= this.#at(this.#costs, 0);
      this.#head = this.#slot(1);
      this.#length--;
    }
  }

  /** Entries later than `instant` are moved to it: they were written by a clock that ran ahead. */
  clampTo(instant: StorageInstant): void {
    for (let i = this.#length - 1; i >= 0 && this.#at(this.#instants, i) > instant; i--) {
      this.#instants[this.#slot(i)] = instant;
    }
  }

  /** Logs a charge. `instant` must not lie before the newest entry. */
  append(instant: StorageInstant, cost: number): void {
    this.#total += cost;
    if (this.newest === instant) {
      const slot = this.#slot(this.#length - 1);
      this.#costs[slot] = (this.#costs[slot] ?? 0) + cost;
      return;
    }
    if (this.#length === this.#instants.length) this.#grow();
    const slot = this.#slot(this.#length++);
    this.#instants[slot] = instant;
    this.#costs[slot] = cost;
  }

  /** Takes back up to `cost` of what was logged at exactly `instant`. */
  remove(instant: StorageInstant, cost: number): void {
    const index = this.#indexOf(instant);
    if (index < 0) return;
    const slot = this.#slot(index);
    const logged = this.#costs[slot] ?? 0;
    const taken = Math.min(cost, logged);
    this.#total -= taken;
    this.#costs[slot] = logged - taken;
    if (taken === logged) this.#delete(index);
  }

  /** The instant of the entry with which the oldest `units` are gone. There must be that many. */
  instantOfUnit(units: number): StorageInstant {
    let left = units;
    let index = 0;
    while (index < this.#length - 1 && left > this.#at(this.#costs, index)) {
      left -= this.#at(this.#costs, index++);
    }
    return this.#at(this.#instants, index);
  }

  #slot(index: number): number {
    return (this.#head + index) & (this.#instants.length - 1);
  }

  #at(ring: Float64Array, index: number): number {
    return ring[this.#slot(index)] ?? 0;
  }

  #grow(): void {
    const [instants, costs] = [this.#instants, this.#costs];
    const bigger = {
      instants: new Float64Array(instants.length * 2),
      costs: new Float64Array(costs.length * 2),
    };
    for (let i = 0; i < this.#length; i++) {
      bigger.instants[i] = this.#at(instants, i);
      bigger.costs[i] = this.#at(costs, i);
    }
    this.#instants = bigger.instants;
    this.#costs = bigger.costs;
    this.#head = 0;
  }

  #indexOf(instant: StorageInstant): number {
    let [low, high] = [0, this.#length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.#at(this.#instants, middle);
      if (found === instant) return middle;
      if (found < instant) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  #delete(index: number): void {
    for (let i = index; i < this.#length - 1; i++) {
      this.#instants[this.#slot(i)] = this.#at(this.#instants, i + 1);
      this.#costs[this.#slot(i)] = this.#at(this.#costs, i + 1);
    }
    this.#length--;
  }
}
