import type { Claim } from "../../core/storage.js";
import { expectSame } from "./contract-violation.js";
import type { ContractContext, Subject } from "./subject.js";

const HOSTILE_KEYS = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "*",
  "a?[b]\\c",
  "0",
];

/** One counter for each key, whatever the key looks like. */
export function describeKeys({ it, strategies: [strategy = "fixed-window"] }: ContractContext): void {
  it("counts each client on its own", async (subject) => {
    const [ann, bob] = [subject.claim({ strategy, who: "ann" }), subject.claim({ strategy, who: "bob" })];
    expectSame(await subject.hitAtOnce(10, ann), 5, "admitted of ann");
    expectSame(await subject.hitAtOnce(10, bob), 5, "admitted of bob");
  });

  it("counts each limit of a client on its own", async (subject) => {
    const [five, six] = [subject.claim({ strategy }), subject.claim({ strategy, amount: 6 })];
    await subject.hitTimes(5, five);
    expectSame(await subject.hitAtOnce(10, six), 6, "admitted by the other limit");
  });

  it("takes keys that are names of object properties, or patterns", async (subject) => {
    for (const who of HOSTILE_KEYS) await expectOwnCounter(subject, subject.claim({ strategy, who }), who);
    for (const key of HOSTILE_KEYS.slice(0, 5)) {
      const claim = { ...subject.claim({ strategy, unit: "hour" }), key };
      await subject.clear(claim);
      await expectOwnCounter(subject, claim, `the bare key ${key}`);
      await subject.clear(claim);
    }
  });

  it("takes keys of 600 characters that differ only at the end", async (subject) => {
    const long = "x".repeat(600);
    await expectOwnCounter(subject, subject.claim({ strategy, who: `${long}a` }), "the first long key");
    await expectOwnCounter(subject, subject.claim({ strategy, who: `${long}b` }), "the second long key");
  });

  it("tells upper case from lower case", async (subject) => {
    await subject.hitTimes(5, subject.claim({ strategy, who: "ann" }));
    await expectOwnCounter(subject, subject.claim({ strategy, who: "ANN" }), "ANN");
  });
}

async function expectOwnCounter(subject: Subject, claim: Claim, name: string): Promise<void> {
  expectSame(await subject.remaining(claim), 5, `remaining of ${name}, never seen before`);
  expectSame(await subject.hitAtOnce(7, claim), 5, `admitted of ${name}`);
  expectSame(await subject.remaining(claim), 0, `remaining of ${name}`);
}
