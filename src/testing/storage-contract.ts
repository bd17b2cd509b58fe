import { STRATEGY_NAMES } from "../core/policy.js";
import type { ContractRunner, CreateStorage, StorageContractOptions } from "./contract/contract-options.js";
import { expectSame } from "./contract/contract-violation.js";
import { describeCosts } from "./contract/costs.js";
import { describeCounting } from "./contract/counting.js";
import { describeForgetting } from "./contract/forgetting.js";
import { describeKeys } from "./contract/keys.js";
import { describeLists } from "./contract/lists.js";
import { describeMetaClaims } from "./contract/meta-claims.js";
import { describeRefunds } from "./contract/refunds.js";
import { type ContractContext, withSubject } from "./contract/subject.js";
import { describeTime } from "./contract/time.js";

/**
 * Defines the tests that every storage must pass.
 *
 * Takes the runner's own functions, so it runs in vitest, jest, mocha and node:test alike; a failed
 * expectation throws `ContractViolation`. Each test gets a storage of its own.
 *
 * @example
 * storageContract({ describe, it }, () => {
 *   const clock = new ManualClock();
 *   return { storage: new MyStorage({ clock }), advance: (ms) => clock.advance(ms) };
 * });
 * @example
 * const sleep = (ms: number) => new Promise<void>((wake) => setTimeout(wake, ms));
 * storageContract(
 *   { describe, it },
 *   () => {
 *     const storage = new MyServerStorage(url);
 *     return { storage, advance: sleep, close: () => storage.close() };
 *   },
 *   { clock: "real", gaps: { reset: "the server cannot list its keys" } },
 * );
 */
export function storageContract(
  runner: ContractRunner,
  createStorage: CreateStorage,
  options: StorageContractOptions = {},
): void {
  const { clock = "manual", strategies = STRATEGY_NAMES, shortestWindowMs = 500, gaps = {} } = options;
  const context: ContractContext = {
    isManual: clock === "manual",
    strategies,
    shortestWindowMs,
    gaps,
    describe: (name, body) => void runner.describe(name, body),
    it: (name, body) => void runner.it(name, () => withSubject(createStorage, body)),
  };
  runner.describe("storage contract", () => {
    describeItself(context);
    describeKeys(context);
    describeForgetting(context);
    for (const strategy of strategies) {
      runner.describe(strategy, () => {
        describeCounting(context, strategy);
        describeCosts(context, strategy);
        describeTime(context, strategy);
        describeLists(context, strategy);
        describeMetaClaims(context, strategy);
        describeRefunds(context, strategy);
      });
    }
  });
}

function describeItself({ it, strategies }: ContractContext): void {
  it("has a name for messages", async ({ storage }) => {
    expectSame(typeof storage.name === "string" && storage.name !== "", true, "name is a text");
  });

  it("names the strategies that it can run", async ({ storage }) => {
    expectSame([...storage.strategies].sort(), [...strategies].sort(), "strategies");
  });

  it("is there when it is asked", async ({ storage }) => {
    expectSame(await storage.check(), true, "check()");
  });
}
