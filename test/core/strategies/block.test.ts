import { describe, expect, it } from "vitest";
import { BLOCK_POLICY } from "../../../src/core/policy.js";
import { Counter } from "./counter.js";
import { expectTimeline } from "./timeline.js";

describe("block", () => {
  it("refuses everything for as many milliseconds as it cost, and then nothing", () => {
    expectTimeline(
      new Counter(BLOCK_POLICY),
      `
      at      do    cost    allowed  remaining  reset   retry  full
      0       test  60_000  yes      1          0       0      0
      1_000   hit   60_000  yes      0          60_000  -      60_000
      1_000   test  60_000  no       0          60_000  60_000 60_000
      1_000   test  0       no       0          60_000  60_000 60_000
      60_999  test  60_000  no       0          1       1      1
      61_000  test  60_000  yes      1          0       0      0
      `,
    );
  });

  it("is prolonged by a longer block and never shortened by a shorter one", () => {
    expectTimeline(
      new Counter(BLOCK_POLICY),
      `
      at      do    cost    reset
      0       hit   60_000  60_000
      1_000   hit   10_000  59_000
      1_000   hit   90_000  90_000
      `,
    );
  });

  it("is lifted by the refund of the hit that made it, and by no other", () => {
    expectTimeline(
      new Counter(BLOCK_POLICY),
      `
      at      do        cost    allowed  reset
      0       hit       10_000  yes      10_000
      1_000   hit       60_000  yes      60_000
      2_000   refund:0  1       no       59_000
      2_000   refund:1  1       yes      0
      `,
    );
  });

  it("owes everything while it lasts", () => {
    const block = new Counter(BLOCK_POLICY);
    expect(block.debt(0)).toBe(0);
    block.hit(0, 5000);
    expect(block.debt(4999)).toBe(1);
    expect(block.debt(5000)).toBe(0);
  });
});
