import { describe, expect, it } from "vitest";
import { Counter } from "./counter.js";
import { expectTimeline } from "./timeline.js";

const bucket = (limit: string, burst?: number): Counter => Counter.of(limit, "token-bucket", burst);

describe("token bucket", () => {
  // throttled's table for "1 per second, burst 5"; its reset is our `full`: the time until the bucket is full.
  it("decides as throttled's table of 1 per second with a burst of 5", () => {
    expectTimeline(
      bucket("1 per second", 5),
      `
      at     do    cost  allowed  remaining  full   retry
      // A cost above the burst never fits.
      0      hit   6     no       5          0      never
      // The burst, one by one.
      0      hit   1     yes      4          1_000  0
      0      hit   1     yes      3          2_000  0
      0      hit   1     yes      2          3_000  0
      0      hit   1     yes      1          4_000  0
      0      hit   1     yes      0          5_000  0
      0      hit   1     no       0          5_000  1_000
      // Tokens grow steadily, one a second.
      3_000  hit   1     yes      2          3_000  0
      3_100  hit   1     yes      1          3_900  0
      4_000  hit   1     yes      1          4_000  0
      8_000  hit   1     yes      4          1_000  0
      9_500  hit   1     yes      4          1_000  0
      // A cost of 0 only looks.
      9_500  hit   0     yes      4          1_000  0
      9_500  hit   2     yes      2          3_000  0
      9_500  hit   5     no       2          3_000  3_000
      9_500  test  0     yes      2          3_000  0
      `,
    );
  });

  it("tells when the next token comes, which is not when the bucket is full", () => {
    expectTimeline(
      bucket("1 per second", 5),
      `
      at     do    cost  remaining  reset
      0      test  1     5          0
      0      hit   1     4          1_000
      0      hit   3     1          1_000
      250    test  1     1          750
      999    test  1     1          1
      1_000  test  1     2          1_000
      4_000  test  1     5          0
      `,
    );
  });

  it("has the amount as its burst when none is given", () => {
    expectTimeline(
      bucket("5 per minute"),
      `
      at      cost  allowed  remaining  reset   retry
      0       5     yes      0          12_000  0
      0       1     no       0          12_000  12_000
      11_999  1     no       0          1       1
      12_000  1     yes      0          12_000  0
      24_000  2     no       1          12_000  12_000
      36_000  2     yes      0          12_000  0
      `,
    );
  });

  it("lets the burst and the rate pass within one window, and no more", () => {
    const counter = bucket("10 per minute", 4);
    let admitted = counter.admitted(0, 20);
    for (let at = 1; at < 60_000; at += 7) if (counter.hit(at).allowed) admitted++;
    expect(admitted).toBe(4 + 9);
    expect(counter.admitted(60_000, 20)).toBe(1);
  });

  it("rounds waits up to the millisecond at which the token is there", () => {
    // A token every 142 6/7 ms.
    expectTimeline(
      bucket("7 per second", 1),
      `
      at     allowed  remaining  retry
      0      yes      0          0
      0      no       0          143
      142    no       0          1
      143    yes      0          0
      // With a burst of 1 the bucket was full at 142 6/7 and the fraction is lost; a burst of 2 keeps it.
      143    no       0          143
      285    no       0          1
      286    yes      0          0
      `,
    );
  });

  it.each([
    { limit: "7 per second", burst: 2, hours: 1, admitted: 25_202 },
    { limit: "1000 per second", burst: 1, hours: 0.02, admitted: 72_001 },
    { limit: "3 per 1000 seconds", burst: 3, hours: 100, admitted: 1083 },
  ])("admits $admitted in $hours hours of $limit, without drift", ({ limit, burst, hours, admitted }) => {
    const counter = bucket(limit, burst);
    let seen = 0;
    for (let at = 0; at <= hours * 3_600_000; ) {
      const { allowed, retryAfterMs } = counter.hit(at);
      if (allowed) seen++;
      else at += retryAfterMs;
    }
    expect(seen).toBe(admitted);
  });

  it("gives a charge back as far as it has not leaked", () => {
    expectTimeline(
      bucket("1 per second", 5),
      `
      at     do        cost  remaining  reset
      0      hit       2     3          1_000
      0      hit       3     0          1_000
      1_000  test      1     1          1_000
      // Of the first charge one token has grown back meanwhile.
      1_000  refund:0  1     2          1_000
      1_000  refund:1  1     5          0
      1_000  hit       5     0          1_000
      `,
    );
  });

  it("rather gives back too little than too much when later charges came back first", () => {
    expectTimeline(
      bucket("1 per second", 5),
      `
      at     do        cost  remaining
      0      hit       1     4
      0      hit       4     0
      0      refund:1  1     4
      // One sum of refunds does not tell which stood before this charge: it counts as drained.
      0      refund:0  1     4
      1_000  test      1     5
      `,
    );
  });

  it("mints nothing by a refund after the bucket has refilled", () => {
    expectTimeline(
      bucket("1 per second", 5),
      `
      at      do        cost  remaining
      0       hit       5     0
      5_000   hit       4     1
      5_000   refund:0  1     1
      6_000   hit       1     1
      `,
    );
  });

  it("forgets when the bucket is full", () => {
    const counter = bucket("1 per second", 5);
    counter.hit(100, 3);
    expect(counter.expiresAt).toBe(3100);
  });
});
