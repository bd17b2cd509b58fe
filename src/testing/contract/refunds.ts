import type { Charge, Claim } from "../../core/storage.js";
import type { StrategyName, Verdict } from "../../core/strategy.js";
import { expectSame } from "./contract-violation.js";
import type { ContractContext } from "./subject.js";

/** Charges that are given back. */
export function describeRefunds(context: ContractContext, strategy: StrategyName): void {
  describeGivingBack(context, strategy);
  describeIgnoredRefunds(context, strategy);
  describeLateRefunds(context, strategy);
}

function describeGivingBack({ it }: ContractContext, strategy: StrategyName): void {
  it("gives a charge back", async (subject) => {
    const claim = subject.claim({ strategy });
    const [first] = await subject.hitTimes(5, claim);
    await subject.refund(charge(claim, first));
    expectSame(await subject.remaining(claim), 1, "remaining");
    expectSame(await subject.hitAtOnce(10, claim), 1, "admitted afterwards");
  });

  it("gives back what a list was charged, and costs as a whole", async (subject) => {
    const [minute, hour] = [
      subject.claim({ strategy, cost: 2 }),
      subject.claim({ strategy, amount: 9, unit: "hour", cost: 7 }),
    ];
    const [first, second] = await subject.hitAll(minute, hour);
    await subject.refund(charge(minute, first), charge(hour, second));
    expectSame(await subject.remaining(minute), 5, "remaining of 5 per minute");
    expectSame(await subject.remaining(hour), 9, "remaining of 9 per hour");
  });

  it("gives back every one of 5 concurrent charges", async (subject) => {
    const claim = subject.claim({ strategy });
    const verdicts = await Promise.all(Array.from({ length: 5 }, () => subject.hit(claim)));
    await Promise.all(verdicts.map((verdict) => subject.refund(charge(claim, verdict))));
    expectSame(await subject.hitAtOnce(100, claim), 5, "admitted afterwards");
  });
}

function describeIgnoredRefunds({ it }: ContractContext, strategy: StrategyName): void {
  it("never gives back more than there was", async (subject) => {
    const claim = subject.claim({ strategy });
    const verdict = await subject.hit(claim);
    for (let i = 0; i < 4; i++) await subject.refund(charge(claim, verdict));
    expectSame(await subject.hitAtOnce(100, claim), 5, "admitted afterwards");
  });

  it("ignores charges of counters that it does not know", async (subject) => {
    const [claim, elsewhere] = [subject.claim({ strategy }), subject.claim({ strategy, who: "other" })];
    const verdict = await subject.hit(elsewhere);
    await subject.refund(charge(claim, verdict));
    expectSame(await subject.hitAtOnce(100, claim), 5, "admitted afterwards");
    await subject.clear(elsewhere);
    await subject.refund(charge(elsewhere, verdict));
    expectSame(await subject.hitAtOnce(100, elsewhere), 5, "admitted after a clear");
  });

  it("leaves other clients' counters alone", async (subject) => {
    const [ann, bob] = [subject.claim({ strategy, who: "ann" }), subject.claim({ strategy, who: "bob" })];
    const [verdict] = await subject.hitTimes(5, ann);
    await subject.hitTimes(5, bob);
    await subject.refund(charge(ann, verdict));
    expectSame((await subject.hit(bob)).allowed, false, "a hit of the other client");
  });
}

function describeLateRefunds(context: ContractContext, strategy: StrategyName): void {
  const { it, isManual, shortestWindowMs } = context;
  const twoWindowsMs = 2 * shortestWindowMs + (isManual ? 0 : 25);
  const short = { strategy, amount: 1, unit: "millisecond", multiples: shortestWindowMs } as const;

  it("ignores charges that have expired", async (subject) => {
    const claim = subject.claim(short);
    const verdict = await subject.hit(claim);
    await subject.advance(twoWindowsMs);
    await subject.refund(charge(claim, verdict));
    expectSame(await subject.hitAtOnce(10, claim), 1, "admitted afterwards");
  });

  it("never gives a charge back into a later window", async (subject) => {
    const claim = subject.claim(short);
    const verdict = await subject.hit(claim);
    await subject.advance(twoWindowsMs);
    expectSame((await subject.hit(claim)).allowed, true, "the first hit of a later window");
    await subject.refund(charge(claim, verdict));
    expectSame((await subject.hit(claim)).allowed, false, "the second hit of a later window");
  });
}

function charge(claim: Claim, verdict: Verdict | undefined): Charge {
  const { receipt = Number.NaN, refundsSeen = Number.NaN } = verdict ?? {};
  return { claim, receipt: { receipt, refundsSeen } };
}
