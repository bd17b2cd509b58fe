import { describe, expect, it } from "vitest";
import { Counter } from "./counter.js";
import { expectTimeline } from "./timeline.js";

const sliding = (limit: string): Counter => Counter.of(limit, "sliding-window-counter");

describe("sliding window counter", () => {
  it("weighs the previous window by the part of it that lies within one window from now", () => {
    expectTimeline(
      sliding("10 per minute"),
      `
      at       do    cost  allowed  remaining  reset   retry
      0        test  1     yes      10         0       0
      5_000    hit   10    yes      0          66_000  0
      // The window lasts from 5 s to 65 s, and fades until 125 s: a unit every 6 s.
      64_999   hit   1     no       0          6_001   6_001
      65_000   hit   1     no       0          6_000   6_000
      70_999   hit   1     no       0          1       1
      71_000   test  1     yes      1          6_000   0
      71_000   hit   1     yes      0          6_000   0
      76_999   hit   1     no       0          1       1
      77_000   hit   1     yes      0          6_000   0
      95_000   test  3     yes      3          6_000   0
      95_000   test  4     no       3          6_000   6_000
      `,
    );
  });

  it("waits for its own window to end and fade when the previous one is not enough", () => {
    expectTimeline(
      sliding("10 per minute"),
      `
      at       do    cost  allowed  remaining  reset   retry
      0        hit   4     yes      6          75_000  0
      60_000   hit   6     yes      0          15_000  0
      // At 120 s the 4 are gone; the 6 fade from then on.
      60_000   test  1     no       0          15_000  15_000
      60_000   test  4     no       0          15_000  60_000
      60_000   test  5     no       0          15_000  70_000
      60_000   test  10    no       0          15_000  120_000
      60_000   test  11    no       0          15_000  never
      `,
    );
  });

  it("admits 1.99 times the amount within one window at worst: the price of two counts", () => {
    const counter = sliding("100 per minute");
    counter.hit(0);
    let admitted = counter.admitted(59_999, 100);
    for (let at = 60_000; at < 119_999; at++) if (counter.hit(at).allowed) admitted++;
    expect(admitted).toBe(99 + 99);
  });

  it("admits nothing after a full window that filled at its start, though the true count is 0", () => {
    const counter = sliding("100 per minute");
    expect(counter.admitted(0, 150)).toBe(100);
    expect(counter.admitted(60_000, 150)).toBe(0);
    expect(counter.hit(60_000).retryAfterMs).toBe(600);
    expect(counter.admitted(90_000, 150)).toBe(50);
  });

  it("opens a new window at the first hit after two windows of silence", () => {
    expectTimeline(
      sliding("2 per minute"),
      `
      at       do    allowed  remaining  reset   retry
      0        hit   yes      1          120_000  0
      119_999  test  yes      1          1        0
      120_000  test  yes      2          0        0
      130_000  hit   yes      1          120_000  0
      130_000  hit   yes      0          90_000   0
      190_000  hit   no       0          30_000   30_000
      220_000  hit   yes      0          30_000   0
      `,
    );
  });

  it("takes refunds back from the window that they were charged in", () => {
    expectTimeline(
      sliding("4 per minute"),
      `
      at       do        cost  allowed  remaining  reset   retry
      0        hit       4     yes      0          75_000  0
      60_000   test      1     no       0          15_000  15_000
      90_000   hit       2     yes      0          15_000  0
      // Of the first four, two still weigh.
      90_000   refund:0  4     no       2          60_000  90_000
      90_000   refund:2  4     yes      4          0       0
      `,
    );
  });

  it("frees nothing by a refund of a charge that has faded away", () => {
    expectTimeline(
      sliding("4 per minute"),
      `
      at       do        cost  remaining
      0        hit       4     0
      119_999  hit       3     0
      120_000  test      1     1
      120_000  refund:0  1     1
      `,
    );
  });

  it("forgets when the last count has faded", () => {
    const counter = sliding("4 per minute");
    counter.hit(1000);
    expect(counter.expiresAt).toBe(121_000);
    counter.hit(61_000);
    expect(counter.expiresAt).toBe(181_000);
  });
});
