/** Shorter gaps between two looks are the ordinary turns of the event loop. */
const SHORTEST_STALL_MS = 2;

interface Stall {
  readonly from: number;
  readonly to: number;
}

/**
 * When this process stood still: at work in one piece, or without a processor, on a machine that does other
 * things too. No promise about a storage can be kept in that time, so tests of deadlines leave it out.
 */
export class LoopStalls {
  readonly #stalls: Stall[] = [];
  readonly #timer: NodeJS.Timeout;
  #lookedAt = performance.now();

  constructor() {
    this.#timer = setInterval(() => this.#look(), 1);
    this.#timer.unref();
  }

  /** How much of the time between two instants of `performance.now()` it stood still. */
  msBetween(from: number, to: number): number {
    let sum = 0;
    for (const stall of this.#stalls) {
      sum += Math.max(0, Math.min(stall.to, to) - Math.max(stall.from, from));
    }
    return sum;
  }

  /** The longest time for which it stood still. */
  get longestMs(): number {
    return Math.max(0, ...this.#stalls.map(({ from, to }) => to - from));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#lookedAt > SHORTEST_STALL_MS) this.#stalls.push({ from: this.#lookedAt, to: now });
    this.#lookedAt = now;
  }
}
