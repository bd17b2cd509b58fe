import type { Claim } from "../../core/storage.js";
import type { StrategyName, Verdict } from "../../core/strategy.js";
import { expectSame, expectWithin } from "./contract-violation.js";
import type { ContractContext, Subject } from "./subject.js";

const HOUR_MS = 3_600_000;

/** Limits on breaches, and blocks: tested first, charged when a limit of the same list refuses. */
export function describeMetaClaims(context: ContractContext, strategy: StrategyName): void {
  describeBreachLimits(context, strategy);
  describeCharging(context, strategy);
  describeBlocks(context, strategy);
}

function describeBreachLimits({ it }: ContractContext, strategy: StrategyName): void {
  it("does not charge a meta claim while the limits have room", async (subject) => {
    const { meta, limit } = metaAndLimit(subject, strategy);
    const verdicts = await subject.hitAll(meta, limit);
    expectSame(verdicts.map(isAllowed), [true, true], "allowed");
    expectSame(await subject.remaining(meta), 2, "breaches left");
    expectSame(await subject.remaining(limit), 0, "units left");
  });

  it("charges a meta claim for each refusal, and tells when it will refuse itself", async (subject) => {
    const { meta, limit } = metaAndLimit(subject, strategy);
    await subject.hitAll(meta, limit);
    const [first] = await subject.hitAll(meta, limit);
    expectSame(first?.remaining, 1, "breaches left after one");
    expectSame([first?.allowed, first?.retryAfterMs], [true, 0], "the meta limit after one breach");
    const [second, refused] = await subject.hitAll(meta, limit);
    expectSame(second?.remaining, 0, "breaches left after two");
    expectSame([second?.allowed, refused?.allowed], [true, false], "it is the limit that refused");
    expectWithin(second?.retryAfterMs ?? Number.NaN, 1, 2 * HOUR_MS, "how long the meta limit will refuse");
  });

  it("refuses by an exhausted meta claim and charges nothing, not even it", async (subject) => {
    const { meta, limit } = metaAndLimit(subject, strategy);
    for (let i = 0; i < 3; i++) await subject.hitAll(meta, limit);
    await subject.clear(limit);
    const first = await subject.hitAll(meta, limit);
    const last = await subject.hitAll(meta, limit);
    expectSame(first.map(isAllowed), [false, true], "allowed: the limit itself has room");
    expectSame(await subject.remaining(limit), 1, "units left");
    expectWithin(
      last[0]?.retryAfterMs ?? Number.NaN,
      1,
      first[0]?.retryAfterMs ?? 0,
      "the wait, which refusals do not lengthen",
    );
  });
}

function describeCharging({ it }: ContractContext, strategy: StrategyName): void {
  it("gives verdicts in the order of the claims, wherever the meta claim stands", async (subject) => {
    const { meta, limit } = metaAndLimit(subject, strategy);
    await subject.hitAll(limit, meta);
    const verdicts = await subject.hitAll(limit, meta);
    expectSame(verdicts.map(isAllowed), [false, true], "allowed");
    expectSame(
      verdicts.map((verdict) => verdict.remaining),
      [0, 1],
      "remaining",
    );
  });

  it("charges a meta claim with a parent only when the parent refuses", async (subject) => {
    const { limit } = metaAndLimit(subject, strategy);
    const other = subject.claim({ strategy, amount: 1, unit: "day" });
    const meta = subject.claim({ strategy, amount: 2, unit: "hour", role: "meta", parent: limit });
    await subject.hit(other);
    const byOther = await subject.hitAll(meta, limit, other);
    expectSame(byOther.map(isAllowed), [true, true, false], "allowed when another limit refuses");
    expectSame(await subject.remaining(meta), 2, "breaches left");
    await subject.hit(limit);
    await subject.hitAll(meta, limit, other);
    expectSame(await subject.remaining(meta), 1, "breaches left after the parent refused");
  });

  it("never charges a meta claim whose parent is not in the list", async (subject) => {
    const { limit } = metaAndLimit(subject, strategy);
    const stranger = subject.claim({ strategy, amount: 1, unit: "day" });
    const meta = subject.claim({ strategy, amount: 2, unit: "hour", role: "meta", parent: stranger });
    await subject.hit(limit);
    const verdicts = await subject.hitAll(meta, limit);
    expectSame(verdicts.map(isAllowed), [true, false], "allowed");
    expectSame(await subject.remaining(meta), 2, "breaches left");
  });

  it('charges meta claims in mode "each", too', async (subject) => {
    const { meta, limit } = metaAndLimit(subject, strategy);
    const free = subject.claim({ strategy, unit: "day" });
    await subject.hit(limit);
    const verdicts = await subject.hitEach(meta, limit, free);
    expectSame(verdicts.map(isAllowed), [true, false, true], "allowed");
    expectSame(await subject.remaining(meta), 1, "breaches left");
    expectSame(await subject.remaining(free), 4, "units left where there was room");
  });
}

function describeBlocks({ it, isManual, shortestWindowMs }: ContractContext, strategy: StrategyName): void {
  const blockMs = isManual ? shortestWindowMs : 2 * shortestWindowMs;

  it("blocks after a refusal until the block ends", async (subject) => {
    const [block, limit] = [subject.block(blockMs), subject.claim({ strategy, amount: 1 })];
    expectSame((await subject.hitAll(block, limit)).map(isAllowed), [true, true], "allowed at first");
    const [blocked, refused] = await subject.hitAll(block, limit);
    expectSame([blocked?.allowed, refused?.allowed], [true, false], "it is the limit that refused");
    expectWithin(blocked?.retryAfterMs ?? Number.NaN, 1, blockMs, "how long it will block");
    await subject.clear(limit);
    expectSame((await subject.hitAll(block, limit)).map(isAllowed), [false, true], "allowed while it holds");
    expectSame(await subject.remaining(limit), 1, "units left: a blocked hit charges nothing");
    await subject.advance(isManual ? blockMs : blockMs + 25);
    expectSame((await subject.hitAll(block, limit)).map(isAllowed), [true, true], "allowed when it is over");
  });

  it("is not prolonged by hits on a block", async (subject) => {
    const [block, limit] = [subject.block(HOUR_MS), subject.claim({ strategy, amount: 1 })];
    for (let i = 0; i < 2; i++) await subject.hitAll(block, limit);
    if (isManual) await subject.advance(1000);
    const [first] = await subject.hitAll(block, limit);
    const [last] = await subject.hitAll(block, limit);
    expectWithin(first?.retryAfterMs ?? Number.NaN, 1, HOUR_MS - (isManual ? 1000 : 0), "how long it blocks");
    expectWithin(last?.retryAfterMs ?? Number.NaN, 1, first?.retryAfterMs ?? 0, "how long, asked again");
  });

  it("lifts a block that is cleared", async (subject) => {
    const [block, limit] = [subject.block(HOUR_MS), subject.claim({ strategy, amount: 1 })];
    for (let i = 0; i < 2; i++) await subject.hitAll(block, limit);
    await subject.clear(block, limit);
    expectSame((await subject.hitAll(block, limit)).map(isAllowed), [true, true], "allowed");
  });
}

/** At most 2 breaches per hour of 1 per minute. */
function metaAndLimit(
  subject: Subject,
  strategy: StrategyName,
): { readonly meta: Claim; readonly limit: Claim } {
  return {
    meta: subject.claim({ strategy, amount: 2, unit: "hour", role: "meta" }),
    limit: subject.claim({ strategy, amount: 1 }),
  };
}

const isAllowed = (verdict: Verdict): boolean => verdict.allowed;
