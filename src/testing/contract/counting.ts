import type { StrategyName } from "../../core/strategy.js";
import { expectSame, expectWithin } from "./contract-violation.js";
import type { ContractContext } from "./subject.js";

/** One limit, hits of one unit: how many are admitted, and what the verdicts say. */
export function describeCounting({ it, isManual }: ContractContext, strategy: StrategyName): void {
  it("admits exactly 5 of 100 concurrent hits on 5 per minute", async (subject) => {
    expectSame(await subject.hitAtOnce(100, subject.claim({ strategy })), 5, "admitted");
  });

  it("admits exactly 250 of 300 concurrent hits on 250 per day", async (subject) => {
    const claim = subject.claim({ strategy, amount: 250, unit: "day" });
    expectSame(await subject.hitAtOnce(300, claim), 250, "admitted");
  });

  it("counts remaining down to 0", async (subject) => {
    const verdicts = await subject.hitTimes(6, subject.claim({ strategy }));
    const remaining = verdicts.map((verdict) => verdict.remaining);
    expectSame(remaining, [4, 3, 2, 1, 0, 0], "remaining after each hit");
  });

  it("charges nothing for a refusal", async (subject) => {
    const claim = subject.claim({ strategy });
    await subject.hitTimes(5, claim);
    const refusals = await subject.hitTimes(20, claim);
    expectSame(refusals.filter((verdict) => verdict.allowed).length, 0, "admitted when full");
    const [first, last] = [refusals.at(0), refusals.at(-1)];
    expectWithin(last?.retryAfterMs ?? Number.NaN, 1, first?.retryAfterMs ?? 0, "the wait did not grow");
    if (isManual) expectSame(last?.retryAfterMs, first?.retryAfterMs, "the wait while no time passes");
  });

  it("tests without charging", async (subject) => {
    const claim = subject.claim({ strategy });
    expectSame((await subject.test(claim)).remaining, 5, "remaining before the first hit");
    for (let i = 0; i < 10; i++) expectSame((await subject.test(claim)).allowed, true, "a test");
    expectSame(await subject.hitAtOnce(10, claim), 5, "admitted after 10 tests");
    const full = await subject.test(claim);
    expectSame(full.allowed, false, "a test when full");
    expectSame(full.remaining, 0, "remaining when full");
  });

  it("tests with the words of the hit that would follow", async (subject) => {
    const claim = subject.claim({ strategy, amount: 1 });
    await subject.hit(claim);
    const [test, hit] = [await subject.test(claim), await subject.hit(claim)];
    expectSame(test.allowed, hit.allowed, "allowed");
    if (isManual) expectSame(test.retryAfterMs, hit.retryAfterMs, "retryAfterMs");
    expectWithin(hit.retryAfterMs, 1, test.retryAfterMs, "retryAfterMs of the later hit");
  });

  it("refuses everything at an amount of 0, for ever", async (subject) => {
    const verdict = await subject.hit(subject.claim({ strategy, amount: 0 }));
    expectSame(verdict.allowed, false, "allowed");
    expectSame(verdict.retryAfterMs, Number.POSITIVE_INFINITY, "retryAfterMs");
  });
}
