import { afterEach, beforeEach, expect } from "vitest";

/** Fails every test of a file after which a promise was rejected that nobody looks after. */
export function expectNoUnhandledRejections(): void {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => {
    unhandled.push(reason);
  };
  beforeEach(() => {
    process.on("unhandledRejection", note);
  });
  afterEach(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(unhandled.splice(0)).toEqual([]);
  });
}
