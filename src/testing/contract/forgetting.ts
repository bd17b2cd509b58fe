import type { Claim } from "../../core/storage.js";
import { ContractViolation, expectSame } from "./contract-violation.js";
import type { ContractContext, Subject } from "./subject.js";

/** `clear` and `reset`. */
export function describeForgetting(context: ContractContext): void {
  const { it, gaps, strategies } = context;

  it("forgets the counters that are cleared, and no others", async (subject) => {
    const claims = await spentClaims(context, subject, "");
    const [cleared, ...kept] = claims;
    if (cleared === undefined) return;
    await subject.clear(cleared);
    expectSame(await subject.remaining(cleared), 5, "remaining of the cleared counter");
    for (const claim of kept) expectSame(await subject.remaining(claim), 0, `remaining of ${claim.key}`);
    await subject.clear(...claims);
    for (const claim of claims) expectSame(await subject.remaining(claim), 5, `remaining of ${claim.key}`);
  });

  it("clears a counter that was never there", async (subject) => {
    const [strategy = "fixed-window"] = strategies;
    const claim = subject.claim({ strategy });
    await subject.clear(claim);
    expectSame(await subject.hitAtOnce(10, claim), 5, "admitted");
  });

  if (gaps.reset === undefined) describeReset(context);
  else {
    it(`refuses to reset: ${gaps.reset}`, async ({ storage, prefix }) => {
      const outcome = await Promise.resolve()
        .then(() => storage.reset(prefix))
        .then(
          () => "done",
          () => "an error",
        );
      expectSame(outcome, "an error", "reset of a storage that cannot list its keys");
    });
  }
}

function describeReset(context: ContractContext): void {
  const { it } = context;

  it("resets every counter under a prefix, and no others", async (subject) => {
    const [inside, outside] = [
      await spentClaims(context, subject, "-a"),
      await spentClaims(context, subject, "-b"),
    ];
    await subject.storage.reset(`${subject.prefix}-a:{`);
    for (const claim of inside) expectSame(await subject.remaining(claim), 5, `remaining of ${claim.key}`);
    for (const claim of outside) expectSame(await subject.remaining(claim), 0, `remaining of ${claim.key}`);
  });

  it("takes a prefix literally, not as a pattern", async (subject) => {
    const claims = await spentClaims(context, subject, "-abc");
    for (const pattern of ["-*", "-a?c", "-[a-z]bc", "-a.c", "%", "-a\\"]) {
      await subject.storage.reset(`${subject.prefix}${pattern}`);
    }
    for (const claim of claims) expectSame(await subject.remaining(claim), 0, `remaining of ${claim.key}`);
    const starred = await spentClaims(context, subject, "-*[x]?\\");
    await subject.storage.reset(`${subject.prefix}-*[x]?\\`);
    for (const claim of starred) expectSame(await subject.remaining(claim), 5, `remaining of ${claim.key}`);
  });

  it("resets 2,000 counters", async (subject) => {
    const [strategy = "fixed-window"] = context.strategies;
    const claims = Array.from({ length: 2000 }, (_, i) =>
      subject.claim({ strategy, amount: 1, who: `client-${i}` }),
    );
    await Promise.all(claims.map((claim) => subject.hit(claim)));
    await subject.storage.reset(subject.prefix);
    const verdicts = await Promise.all(claims.map((claim) => subject.test(claim)));
    if (verdicts.every((verdict) => verdict.allowed)) return;
    throw new ContractViolation(
      "counters that were kept",
      verdicts.filter(({ allowed }) => !allowed).length,
      0,
    );
  });
}

/** A counter of each strategy and of two clients, all used up. */
async function spentClaims(
  { strategies }: ContractContext,
  subject: Subject,
  prefix: string,
): Promise<readonly Claim[]> {
  const claims = ["ann", "bob"].flatMap((who) =>
    strategies.map((strategy) => subject.claim({ strategy, who, prefix })),
  );
  for (const claim of claims) await subject.hit({ ...claim, cost: 5 });
  return claims;
}
