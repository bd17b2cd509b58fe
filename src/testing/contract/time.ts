import type { Milliseconds } from "../../core/clock.js";
import type { Claim } from "../../core/storage.js";
import type { StrategyName } from "../../core/strategy.js";
import { expectSame, expectWithin } from "./contract-violation.js";
import type { ClaimOptions, ContractContext, Subject } from "./subject.js";

/** Where real time passes, a wait may end this much late. */
const SLACK_MS = 25;

/** Windows that end, and what is said about when. */
export function describeTime(context: ContractContext, strategy: StrategyName): void {
  const { it, isManual, shortestWindowMs } = context;
  const short: ClaimOptions = { strategy, amount: 2, unit: "millisecond", multiples: shortestWindowMs };

  it(`admits again after retryAfterMs, in a window of ${shortestWindowMs} ms`, async (subject) => {
    await expectAdmittedAfterWait(context, subject, subject.claim(short));
  });

  it("has all its room again when it was left alone", async (subject) => {
    const claim = subject.claim(short);
    await subject.hitTimes(2, claim);
    await subject.advance(2 * shortestWindowMs + (isManual ? 0 : SLACK_MS));
    const { remaining, resetAfterMs } = await subject.test(claim);
    expectSame(remaining, 2, "remaining after two windows");
    expectSame(resetAfterMs, 0, "resetAfterMs after two windows");
    expectSame((await subject.hit(claim)).allowed, true, "a hit after two windows");
  });

  for (const unit of ["month", "year"] as const) {
    it(`keeps a window of a ${unit}`, async (subject) => {
      const claim = subject.claim({ strategy, amount: 2, unit });
      expectSame(await subject.hitAtOnce(10, claim), 2, "admitted");
      const { retryAfterMs } = await subject.hit(claim);
      expectWithin(retryAfterMs, 1, 2 * claim.policy.limit.windowMs, "retryAfterMs");
      if (isManual) await expectAdmittedAt(subject, claim, retryAfterMs);
    });
  }

  it("frees more at resetAfterMs", async (subject) => {
    const claim = subject.claim({ ...short, amount: 1 });
    const { resetAfterMs } = await subject.hit(claim);
    expectWithin(resetAfterMs, 1, 2 * shortestWindowMs, "resetAfterMs");
    if (isManual) {
      await subject.advance(resetAfterMs - 1);
      expectSame(await subject.remaining(claim), 0, "remaining a millisecond before");
      await subject.advance(1);
    } else await subject.advance(resetAfterMs + SLACK_MS);
    expectSame(await subject.remaining(claim), 1, "remaining then");
  });

  it("says Infinity only when no wait can help", async (subject) => {
    const claim = subject.claim({ strategy, cost: 5 });
    await subject.hit({ ...claim, cost: 1 });
    const { allowed, retryAfterMs } = await subject.test(claim);
    expectSame(allowed, false, "a cost of 5 with 4 left");
    expectWithin(retryAfterMs, 1, 2 * claim.policy.limit.windowMs, "retryAfterMs");
  });
}

async function expectAdmittedAfterWait(
  { isManual }: ContractContext,
  subject: Subject,
  claim: Claim,
): Promise<void> {
  const longest = 2 * claim.policy.limit.windowMs;
  for (let round = 0; round < 3; round++) {
    const { retryAfterMs } = await fill(subject, claim);
    expectWithin(retryAfterMs, 1, longest, "retryAfterMs");
    if (isManual) await expectAdmittedAt(subject, claim, retryAfterMs);
    else {
      await subject.advance(retryAfterMs + SLACK_MS);
      expectSame((await subject.hit(claim)).allowed, true, "a hit after retryAfterMs");
    }
  }
}

/** Hits until it is refused; gives the refusal. In real time the room may grow meanwhile. */
async function fill(subject: Subject, claim: Claim): Promise<{ readonly retryAfterMs: Milliseconds }> {
  for (let i = 0; i < 1000; i++) {
    const verdict = await subject.hit(claim);
    if (!verdict.allowed) return verdict;
  }
  expectSame("1,000 hits were admitted", "a refusal", `hits on ${claim.policy.limit}`);
  return { retryAfterMs: Number.NaN };
}

async function expectAdmittedAt(subject: Subject, claim: Claim, waitMs: Milliseconds): Promise<void> {
  await subject.advance(waitMs - 1);
  expectSame((await subject.hit(claim)).allowed, false, "a hit one millisecond before retryAfterMs");
  await subject.advance(1);
  expectSame((await subject.hit(claim)).allowed, true, "a hit at retryAfterMs");
}
