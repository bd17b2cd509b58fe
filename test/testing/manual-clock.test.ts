import { describe, expect, it } from "vitest";
import { ConfigurationError } from "../../src/core/errors.js";
import { ManualClock } from "../../src/testing/index.js";

describe("ManualClock", () => {
  it("starts at 0, or where it is told to", () => {
    expect(new ManualClock().now()).toBe(0);
    expect(new ManualClock(1_785_000_000_000).now()).toBe(1_785_000_000_000);
  });

  it("stands still until it is turned", () => {
    const clock = new ManualClock(5);
    expect([clock.now(), clock.now()]).toEqual([5, 5]);
    clock.advance(10);
    expect(clock.now()).toBe(15);
    clock.advance(0);
    expect(clock.now()).toBe(15);
  });

  it("jumps to an instant, back too", () => {
    const clock = new ManualClock(1000);
    clock.set(5000);
    expect(clock.now()).toBe(5000);
    clock.set(10);
    expect(clock.now()).toBe(10);
  });

  it("works without its receiver, as a clock's now may be passed on", () => {
    const clock = new ManualClock(7);
    const { now } = { now: () => clock.now() };
    expect(now()).toBe(7);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("takes %d for no time", (bad) => {
    const clock = new ManualClock(7);
    expect(() => new ManualClock(bad)).toThrow(ConfigurationError);
    expect(() => clock.advance(bad)).toThrow(ConfigurationError);
    expect(() => clock.set(bad)).toThrow(ConfigurationError);
    expect(clock.now()).toBe(7);
  });

  it("says how to step back to who tries to advance by less than 0", () => {
    expect(() => new ManualClock().advance(-1)).toThrow(/set/);
  });

  it("takes text for no time", () => {
    expect(() => new ManualClock("0" as unknown as number)).toThrow(ConfigurationError);
    expect(() => new ManualClock().advance("1" as unknown as number)).toThrow(ConfigurationError);
  });
});
