import type { StrategyName, Verdict } from "../../core/strategy.js";
import { expectSame, expectWithin } from "./contract-violation.js";
import type { ContractContext } from "./subject.js";

/** Several limits decided together. */
export function describeLists(context: ContractContext, strategy: StrategyName): void {
  describeAllOrNothing(context, strategy);
  describeSingleDecisions(context, strategy);
}

function describeAllOrNothing({ it, gaps }: ContractContext, strategy: StrategyName): void {
  it("charges every limit of a list that has room", async (subject) => {
    const [minute, hour] = [
      subject.claim({ strategy }),
      subject.claim({ strategy, amount: 9, unit: "hour" }),
    ];
    const verdicts = await subject.hitAll(minute, hour);
    expectSame(verdicts.map(isAllowed), [true, true], "allowed");
    expectSame(verdicts.map(remainingOf), [4, 8], "remaining, in the order of the claims");
  });

  it("leaves the first limit untouched when the second is exhausted", async (subject) => {
    const [minute, hour] = [
      subject.claim({ strategy }),
      subject.claim({ strategy, amount: 1, unit: "hour" }),
    ];
    await subject.hit(hour);
    for (let i = 0; i < 3; i++) {
      const verdicts = await subject.hitAll(minute, hour);
      expectSame(verdicts.map(isAllowed), [true, false], "allowed");
      expectSame(verdicts.map(remainingOf), [5, 0], "remaining: the states as they are");
    }
    expectSame(await subject.hitAtOnce(10, minute), 5, "admitted by the first limit afterwards");
  });

  it("leaves the second limit untouched when the first is exhausted", async (subject) => {
    const [minute, hour] = [
      subject.claim({ strategy, amount: 1 }),
      subject.claim({ strategy, unit: "hour" }),
    ];
    await subject.hit(minute);
    expectSame((await subject.hitAll(minute, hour)).map(isAllowed), [false, true], "allowed");
    expectSame(await subject.remaining(hour), 5, "remaining of the second limit");
  });

  const admits = gaps.exactLists === undefined ? "exactly 3" : `at most 3 (${gaps.exactLists})`;
  it(`admits ${admits} of 100 concurrent lists of 5 per minute and 3 per hour`, async (subject) => {
    const [minute, hour] = [
      subject.claim({ strategy }),
      subject.claim({ strategy, amount: 3, unit: "hour" }),
    ];
    const admitted = await subject.hitAtOnce(100, minute, hour);
    expectWithin(admitted, gaps.exactLists === undefined ? 3 : 0, 3, "admitted");
    expectSame(await subject.remaining(minute), 5 - admitted, "remaining of 5 per minute");
    expectSame(await subject.remaining(hour), 3 - admitted, "remaining of 3 per hour");
  });

  it("takes different costs in one list", async (subject) => {
    const [calls, bytes] = [
      subject.claim({ strategy }),
      subject.claim({ strategy, amount: 1000, unit: "hour", cost: 400 }),
    ];
    const decided: (readonly Verdict[])[] = [];
    for (let i = 0; i < 3; i++) decided.push(await subject.hitAll(calls, bytes));
    expectSame(
      decided.map((verdicts) => verdicts.every(isAllowed)),
      [true, true, false],
      "admitted",
    );
    expectSame(decided.at(-1)?.map(remainingOf), [3, 200], "remaining after the refusal");
  });
}

function describeSingleDecisions({ it }: ContractContext, strategy: StrategyName): void {
  it('charges what has room, and only that, in mode "each"', async (subject) => {
    const [full, free] = [subject.claim({ strategy, amount: 1 }), subject.claim({ strategy, unit: "hour" })];
    await subject.hit(full);
    const verdicts = await subject.hitEach(full, free);
    expectSame(verdicts.map(isAllowed), [false, true], "allowed");
    expectSame(verdicts.map(remainingOf), [0, 4], "remaining");
    expectSame(await subject.remaining(free), 4, "remaining of the one with room");
  });

  it("tests each limit of a list on its own", async (subject) => {
    const [full, free] = [subject.claim({ strategy, amount: 1 }), subject.claim({ strategy, unit: "hour" })];
    await subject.hit(full);
    expectSame((await subject.testAll(full, free)).map(isAllowed), [false, true], "allowed");
    expectSame((await subject.testAll(free, full)).map(isAllowed), [true, false], "allowed, the other way");
    expectSame(await subject.remaining(free), 5, "remaining");
  });
}

const isAllowed = (verdict: Verdict): boolean => verdict.allowed;
const remainingOf = (verdict: Verdict): number => verdict.remaining;
