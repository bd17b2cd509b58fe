import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ServerClock } from "../../src/redis/server-clock.js";

describe("ServerClock", () => {
  test("tells a deadline long ago while nothing is known", () => {
    expect(new ServerClock().earliest(500, 0)).toBe(0);
  });

  test("is never later than the server's true clock, however long trips take", () => {
    const trip = fc.record({
      waitMs: fc.double({ min: 0, max: 20_000, noNaN: true }),
      thereMs: fc.double({ min: 0, max: 400, noNaN: true }),
      backMs: fc.double({ min: 0, max: 400, noNaN: true }),
    });
    const aheadMs = fc.double({ min: -1e9, max: 1e12, noNaN: true });
    const drift = fc.double({ min: -0.0004, max: 0.0004, noNaN: true });
    fc.assert(
      fc.property(aheadMs, drift, fc.array(trip, { minLength: 1, maxLength: 20 }), (ahead, rate, trips) => {
        const clock = new ServerClock();
        const trueServerAt = (local: number) => local * (1 + rate) + ahead + 2e9;
        let now = 0;
        for (const { waitMs, thereMs, backMs } of trips) {
          const sentAt = now + waitMs;
          const receivedAt = sentAt + thereMs + backMs;
          clock.learn({ sentAt, receivedAt, serverAt: Math.floor(trueServerAt(sentAt + thereMs)) });
          now = receivedAt;
          const deadlineAt = now + 500;
          // A rounding error of a clock that far ahead, and half a second of drift.
          expect(clock.earliest(deadlineAt, now)).toBeLessThanOrEqual(trueServerAt(deadlineAt) + 0.3);
        }
      }),
    );
  });

  test("keeps the best bound: one slow reply does not shorten later deadlines", () => {
    const clock = new ServerClock();
    clock.learn({ sentAt: 0, receivedAt: 1, serverAt: 1000 });
    clock.learn({ sentAt: 10, receivedAt: 410, serverAt: 1010 });
    expect(clock.earliest(900, 410)).toBeGreaterThanOrEqual(1898);
  });

  test("follows a server's clock that is set back, at the next reply", () => {
    const clock = new ServerClock();
    clock.learn({ sentAt: 0, receivedAt: 1, serverAt: 100_000 });
    clock.learn({ sentAt: 10, receivedAt: 12, serverAt: 50_000 });
    expect(clock.earliest(512, 12)).toBe(50_500);
  });

  test("knows nothing any more after a minute, and after another server may have taken over", () => {
    const clock = new ServerClock();
    clock.learn({ sentAt: 0, receivedAt: 1, serverAt: 1000 });
    expect(clock.isKnown(59_000)).toBe(true);
    expect(clock.isKnown(60_002)).toBe(false);
    clock.forget();
    expect(clock.isKnown(2)).toBe(false);
  });
});
