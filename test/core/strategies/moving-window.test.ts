import { describe, expect, it } from "vitest";
import { Counter } from "./counter.js";
import { expectTimeline } from "./timeline.js";

const moving = (limit: string): Counter => Counter.of(limit, "moving-window");

describe("moving window", () => {
  it("frees each unit one window after it was spent", () => {
    expectTimeline(
      moving("3 per minute"),
      `
      at       do    allowed  remaining  reset   retry
      0        test  yes      3          0       0
      0        hit   yes      2          60_000  0
      10_000   hit   yes      1          50_000  0
      30_000   hit   yes      0          30_000  0
      59_999   hit   no       0          1       1
      60_000   test  yes      1          10_000  0
      60_000   hit   yes      0          10_000  0
      69_999   hit   no       0          1       1
      70_000   hit   yes      0          20_000  0
      // The log now holds 30 s, 60 s and 70 s.
      89_999   hit   no       0          1       1
      90_000   hit   yes      0          30_000  0
      150_000  test  yes      3          0       0
      `,
    );
  });

  it("never admits more than the amount within any window, also around an edge", () => {
    expectTimeline(
      moving("2 per minute"),
      `
      at       allowed  remaining
      0        yes      1
      59_999   yes      0
      60_000   yes      0
      60_000   no       0
      119_998  no       0
      119_999  yes      0
      120_000  yes      0
      `,
    );
  });

  it("waits for as many old units as the cost needs", () => {
    expectTimeline(
      moving("5 per minute"),
      `
      at      do    cost  allowed  remaining  reset   retry
      0       hit   2     yes      3          60_000  0
      1_000   hit   1     yes      2          59_000  0
      2_000   hit   2     yes      0          58_000  0
      3_000   test  1     no       0          57_000  57_000
      3_000   test  2     no       0          57_000  57_000
      3_000   test  3     no       0          57_000  58_000
      3_000   test  4     no       0          57_000  59_000
      3_000   test  5     no       0          57_000  59_000
      3_000   test  6     no       0          57_000  never
      60_000  test  3     no       2          1_000   1_000
      60_000  test  2     yes      2          1_000   0
      `,
    );
  });

  it("gives back the units that were charged, wherever they stand in the log", () => {
    expectTimeline(
      moving("3 per minute"),
      `
      at      do        allowed  remaining  reset   retry
      0       hit       yes      2          60_000  0
      10_000  hit       yes      1          50_000  0
      20_000  hit       yes      0          40_000  0
      30_000  refund:1  yes      1          30_000  0
      30_000  hit       yes      0          30_000  0
      60_000  hit       yes      0          20_000  0
      // What time has freed is not freed again.
      60_000  refund:0  no       0          20_000  20_000
      60_000  refund:2  yes      1          30_000  0
      `,
    );
  });

  it("keeps 20,000 units that were charged one by one and frees them one by one", () => {
    const counter = moving("20000 per day");
    for (let at = 0; at < 20_000; at++) expect(counter.hit(at).allowed).toBe(true);
    expect(counter.hit(20_000)).toMatchObject({ allowed: false, retryAfterMs: 86_380_000 });
    expect(counter.remaining(86_400_000 + 123)).toBe(124);
    expect(counter.admitted(86_400_000 + 123, 200)).toBe(124);
  });

  it("charges a cost as large as the largest amount in one step", () => {
    const largest = Number.MAX_SAFE_INTEGER;
    const counter = moving(`${largest} per day`);
    expect(counter.hit(0, largest - 1)).toMatchObject({ allowed: true, remaining: 1 });
    expect(counter.hit(1, 1)).toMatchObject({ allowed: true, remaining: 0 });
    expect(counter.hit(2, 1)).toMatchObject({ allowed: false, remaining: 0 });
  });

  it("forgets one window after the last charge", () => {
    const counter = moving("3 per minute");
    counter.hit(0);
    counter.hit(7000);
    expect(counter.expiresAt).toBe(67_000);
  });
});
