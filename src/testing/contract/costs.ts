import type { StrategyName } from "../../core/strategy.js";
import { expectSame } from "./contract-violation.js";
import type { ContractContext } from "./subject.js";

/** Hits that cost more, or less, than one unit. */
export function describeCosts({ it }: ContractContext, strategy: StrategyName): void {
  it("charges a cost as a whole or not at all", async (subject) => {
    const [three, two] = [3, 2].map((cost) => subject.claim({ strategy, cost }));
    if (three === undefined || two === undefined) return;
    expectSame((await subject.hit(three)).remaining, 2, "remaining after a cost of 3");
    const refused = await subject.hit(three);
    expectSame(refused.allowed, false, "a second cost of 3");
    expectSame(refused.remaining, 2, "remaining after it was refused");
    expectSame((await subject.hit(two)).remaining, 0, "remaining after a cost of 2");
  });

  it("admits exactly 3 of 60 concurrent hits of cost 3 on 10 per minute", async (subject) => {
    const claim = subject.claim({ strategy, amount: 10, cost: 3 });
    expectSame(await subject.hitAtOnce(60, claim), 3, "admitted");
    expectSame(await subject.remaining({ ...claim, cost: 1 }), 1, "remaining");
  });

  it("never admits a cost above the amount, and charges nothing for it", async (subject) => {
    const refused = await subject.hit(subject.claim({ strategy, cost: 6 }));
    expectSame(refused.allowed, false, "a cost of 6 on 5 per minute");
    expectSame(refused.retryAfterMs, Number.POSITIVE_INFINITY, "retryAfterMs");
    expectSame(refused.remaining, 5, "remaining");
  });

  it("admits a cost of the whole amount", async (subject) => {
    const verdict = await subject.hit(subject.claim({ strategy, cost: 5 }));
    expectSame(verdict.allowed, true, "a cost of 5 on 5 per minute");
    expectSame(verdict.remaining, 0, "remaining");
  });

  it("charges nothing for a cost of 0, and always has room for it", async (subject) => {
    const [one, none] = [subject.claim({ strategy }), subject.claim({ strategy, cost: 0 })];
    expectSame((await subject.hit(none)).remaining, 5, "remaining after a cost of 0");
    await subject.hitTimes(5, one);
    expectSame((await subject.hit(none)).allowed, true, "a cost of 0 when full");
    expectSame((await subject.hit(one)).allowed, false, "a cost of 1 when full");
  });
}
