/** Holds handlers until it is opened, and counts who has come so far. */
export class Gate {
  #open: () => void = () => {};
  readonly #opened = new Promise<void>((resolve) => {
    this.#open = resolve;
  });
  readonly #waiting: { readonly for: number; readonly arrived: () => void }[] = [];
  /** How many have come to the gate. */
  count = 0;

  /** Comes to the gate, and goes on when it is open. */
  pass(): Promise<void> {
    this.count++;
    for (const waiting of this.#waiting) if (waiting.for <= this.count) waiting.arrived();
    return this.#opened;
  }

  /** Resolves when so many have come. */
  arrivals(many: number): Promise<void> {
    if (this.count >= many) return Promise.resolve();
    return new Promise((arrived) => {
      this.#waiting.push({ for: many, arrived });
    });
  }

  open(): void {
    this.#open();
  }
}
