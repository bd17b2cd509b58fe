import { describe, expect, it } from "vitest";
import { Counter } from "./counter.js";
import { expectTimeline } from "./timeline.js";

const fixed = (limit: string): Counter => Counter.of(limit, "fixed-window");

describe("fixed window", () => {
  it("opens at the first hit of the key and ends one window later", () => {
    expectTimeline(
      fixed("3 per minute"),
      `
      at       do    allowed  remaining  reset   retry
      0        test  yes      3          0       0
      7_000    test  yes      3          0       0
      // The window lasts from 10 s to 70 s, not to the full minute.
      10_000   hit   yes      2          60_000  0
      20_000   hit   yes      1          50_000  0
      59_999   hit   yes      0          10_001  0
      60_000   hit   no       0          10_000  10_000
      60_000   test  no       0          10_000  10_000
      69_999   hit   no       0          1       1
      // The next one opens at the next hit, not at the end of the last.
      70_000   test  yes      3          0       0
      85_000   hit   yes      2          60_000  0
      144_999  hit   yes      1          1       0
      145_000  hit   yes      2          60_000  0
      `,
    );
  });

  it("lets up to twice the amount pass around an edge", () => {
    expectTimeline(
      fixed("2 per minute"),
      `
      at       cost  allowed  remaining
      0        1     yes      1
      59_999   1     yes      0
      59_999   1     no       0
      60_000   1     yes      1
      60_000   1     yes      0
      60_000   1     no       0
      `,
    );
  });

  it("charges costs whole, refuses what does not fit, and for ever what never can", () => {
    expectTimeline(
      fixed("10 per hour"),
      `
      at  do    cost  allowed  remaining  reset      retry
      0   hit   11    no       10         0          never
      0   hit   0     yes      10         0          0
      0   hit   4     yes      6          3_600_000  0
      5   hit   7     no       6          3_599_995  3_599_995
      5   hit   11    no       6          3_599_995  never
      5   hit   6     yes      0          3_599_995  0
      5   hit   0     yes      0          3_599_995  0
      5   hit   1     no       0          3_599_995  3_599_995
      `,
    );
  });

  it("takes refunds back within their window only", () => {
    expectTimeline(
      fixed("2 per minute"),
      `
      at       do        allowed  remaining  reset   retry
      0        hit       yes      1          60_000  0
      1_000    hit       yes      0          59_000  0
      2_000    refund:0  yes      1          58_000  0
      3_000    hit       yes      0          57_000  0
      // Another window.
      60_000   hit       yes      1          60_000  0
      60_000   refund:1  yes      1          60_000  0
      60_000   hit       yes      0          60_000  0
      60_000   refund:3  no       0          60_000  60_000
      `,
    );
  });

  it("says that nothing is used when all was given back", () => {
    expectTimeline(
      fixed("2 per minute"),
      `
      at     do        remaining  reset
      0      hit       1          60_000
      500    refund:0  2          0
      `,
    );
  });

  it("forgets when the window ends", () => {
    const counter = fixed("2 per minute");
    counter.hit(5000);
    expect(counter.expiresAt).toBe(65_000);
    counter.hit(6000);
    expect(counter.expiresAt).toBe(65_000);
  });
});
