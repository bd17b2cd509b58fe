import type { Milliseconds } from "../core/clock.js";

/** Units that stand in a counter, and in the count of nobody's hits. */
export interface Spare {
  /** The counter's mark when they were charged. */
  readonly mark: number;
  readonly units: number;
}

/** Of one who would give back. */
interface Lot {
  readonly mark: number;
  units: number;
  end(): void;
}

/**
 * What is to be given back to counters that others increment without a pause.
 *
 * Such a counter cannot be written, but what stands in it can be passed on: the next hit takes spare units for
 * its own, and adds so many fewer. The busier a counter is, the sooner they are taken.
 */
export class SpareUnits {
  readonly #lots = new Map<string, Lot[]>();

  get isEmpty(): boolean {
    return this.#lots.size === 0;
  }

  /** Lets hits take them for so long, and gives how many are left then: at once when there are none. */
  offer(key: string, { mark, units }: Spare, forMs: Milliseconds): Promise<number> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#remove(key, lot);
        resolve(lot.units);
      };
      const timer = setTimeout(end, forMs).unref();
      const lot: Lot = { mark, units, end };
      const lots = this.#lots.get(key);
      if (lots === undefined) this.#lots.set(key, [lot]);
      else lots.push(lot);
    });
  }

  /** From then on they are the taker's. */
  take(key: string, most: number): Spare | undefined {
    const lots = this.#lots.get(key);
    const mark = lots?.[0]?.mark;
    if (lots === undefined || mark === undefined) return undefined;
    let units = 0;
    for (const lot of lots.filter((one) => one.mark === mark)) {
      const taken = Math.min(lot.units, most - units);
      lot.units -= taken;
      units += taken;
      if (lot.units > 0) break;
      lot.end();
    }
    return { mark, units };
  }

  #remove(key: string, lot: Lot): void {
    const left = this.#lots.get(key)?.filter((other) => other !== lot);
    if (left === undefined || left.length === 0) this.#lots.delete(key);
    else this.#lots.set(key, left);
  }
}
