import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import type { Charge, Claim, HitOptions } from "../../src/core/storage.js";
import type { StrategyName, Verdict } from "../../src/core/strategy.js";
import { MemoryStorage } from "../../src/memory/index.js";
import {
  ContractViolation,
  type CreateStorage,
  ManualClock,
  type StorageContractOptions,
  storageContract,
} from "../../src/testing/index.js";

type StorageClass = new (options: { readonly clock: ManualClock }) => MemoryStorage;

/** Runs the contract with a runner of three lines. Gives the names of all tests, and what the failed ones threw. */
async function runContract(createStorage: CreateStorage, options?: StorageContractOptions) {
  const tests = new Map<string, () => Promise<void>>();
  const path: string[] = [];
  const runner = {
    describe: (name: string, body: () => void) => {
      path.push(name);
      body();
      path.pop();
    },
    it: (name: string, body: () => Promise<void>) => tests.set([...path, name].join(" > "), body),
  };
  storageContract(runner, createStorage, options);
  const failures = new Map<string, unknown>();
  for (const [name, body] of tests) await body().catch((error: unknown) => failures.set(name, error));
  return { names: [...tests.keys()], failures };
}

function createWith(StorageClass: StorageClass): CreateStorage {
  return () => {
    const clock = new ManualClock();
    return { storage: new StorageClass({ clock }), advance: (ms) => clock.advance(ms) };
  };
}

/** Reads, waits for its turn, and only then writes: the classical race. */
class RacingStorage extends MemoryStorage {
  override hit(claims: readonly Claim[], options: HitOptions): readonly Verdict[] {
    const verdicts = this.test(claims);
    const racing = Promise.resolve().then(() => {
      if (verdicts.every((verdict) => verdict.allowed)) super.hit(claims, options);
      return verdicts.map((verdict) => ({ ...verdict, remaining: Math.max(0, verdict.remaining - 1) }));
    });
    return racing as unknown as readonly Verdict[];
  }
}

/** Admits one more than asked. */
class GenerousStorage extends MemoryStorage {
  readonly #gifts = new Set<string>();
  override hit(claims: readonly Claim[], options: HitOptions): readonly Verdict[] {
    const verdicts = super.hit(claims, options);
    const key = claims.map((claim) => claim.key).join();
    if (verdicts.every((verdict) => verdict.allowed) || this.#gifts.has(key)) return verdicts;
    this.#gifts.add(key);
    return verdicts.map((verdict) => ({ ...verdict, allowed: true, retryAfterMs: 0 }));
  }
}

class RefundForgetter extends MemoryStorage {
  override refund(): void {}
}

class RefundMinter extends MemoryStorage {
  override refund(charges: readonly Charge[]): void {
    this.clear(charges.map((charge) => charge.claim));
  }
}

/** Decides one claim after the other: a refusal leaves what was charged before it. */
class OneByOneStorage extends MemoryStorage {
  override hit(claims: readonly Claim[], options: HitOptions): readonly Verdict[] {
    return claims.flatMap((claim) => super.hit([claim], options));
  }
}

class ChargingTester extends MemoryStorage {
  override test(claims: readonly Claim[]): readonly Verdict[] {
    return super.hit(claims, { mode: "each" });
  }
}

class NeverClearing extends MemoryStorage {
  override clear(): void {}
}

class ResetsEverything extends MemoryStorage {
  override reset(): void {
    super.reset("");
  }
}

class MetaForgetter extends MemoryStorage {
  override hit(claims: readonly Claim[], options: HitOptions): readonly Verdict[] {
    const limits = super.hit(
      claims.filter(({ role }) => role === "limit"),
      options,
    );
    const metas = super.test(claims.filter(({ role }) => role === "meta"));
    let [limit, meta] = [0, 0];
    return claims.flatMap(({ role }) => (role === "limit" ? limits[limit++] : metas[meta++]) ?? []);
  }
}

class ImpatientStorage extends MemoryStorage {
  override hit(claims: readonly Claim[], options: HitOptions): readonly Verdict[] {
    return super.hit(claims, options).map((verdict) => ({
      ...verdict,
      retryAfterMs: verdict.retryAfterMs > 1 ? Math.floor(verdict.retryAfterMs / 2) : verdict.retryAfterMs,
    }));
  }
}

class CaseBlindStorage extends MemoryStorage {
  override hit(claims: readonly Claim[], options: HitOptions): readonly Verdict[] {
    return super.hit(claims.map(lowerCased), options);
  }
  override test(claims: readonly Claim[]): readonly Verdict[] {
    return super.test(claims.map(lowerCased));
  }
}
const lowerCased = (claim: Claim): Claim => ({ ...claim, key: claim.key.toLowerCase() });

class TruncatingStorage extends MemoryStorage {
  override hit(claims: readonly Claim[], options: HitOptions): readonly Verdict[] {
    return super.hit(claims.map(truncated), options);
  }
  override test(claims: readonly Claim[]): readonly Verdict[] {
    return super.test(claims.map(truncated));
  }
}
const truncated = (claim: Claim): Claim => ({ ...claim, key: claim.key.slice(0, 250) });

class BackwardsStorage extends MemoryStorage {
  override hit(claims: readonly Claim[], options: HitOptions): readonly Verdict[] {
    return [...super.hit(claims, options)].reverse();
  }
}

class FullerStorage extends MemoryStorage {
  override test(claims: readonly Claim[]): readonly Verdict[] {
    return super.test(claims).map((verdict) => ({ ...verdict, remaining: verdict.remaining + 1 }));
  }
}

describe("storageContract", () => {
  it("passes the memory storage", async () => {
    const { names, failures } = await runContract(createWith(MemoryStorage));
    expect([...failures]).toEqual([]);
    expect(names.length).toBeGreaterThan(150);
  });

  it("names its tests in sentences, each once", async () => {
    const { names } = await runContract(createWith(MemoryStorage));
    expect(names).toContain(
      "storage contract > moving-window > admits exactly 5 of 100 concurrent hits on 5 per minute",
    );
    expect(new Set(names).size).toBe(names.length);
  });

  it.each([
    { broken: RacingStorage, failing: "admits exactly 5 of 100 concurrent hits on 5 per minute" },
    { broken: GenerousStorage, failing: "admits exactly 5 of 100 concurrent hits on 5 per minute" },
    { broken: GenerousStorage, failing: "charges nothing for a refusal" },
    { broken: RefundForgetter, failing: "gives a charge back" },
    { broken: RefundMinter, failing: "never gives a charge back into a later window" },
    { broken: OneByOneStorage, failing: "leaves the first limit untouched when the second is exhausted" },
    {
      broken: OneByOneStorage,
      failing: "charges a meta claim for each refusal, and tells when it will refuse itself",
    },
    { broken: ChargingTester, failing: "tests without charging" },
    { broken: NeverClearing, failing: "forgets the counters that are cleared, and no others" },
    { broken: ResetsEverything, failing: "resets every counter under a prefix, and no others" },
    {
      broken: MetaForgetter,
      failing: "charges a meta claim for each refusal, and tells when it will refuse itself",
    },
    { broken: MetaForgetter, failing: "blocks after a refusal until the block ends" },
    { broken: ImpatientStorage, failing: "admits again after retryAfterMs, in a window of 500 ms" },
    { broken: CaseBlindStorage, failing: "tells upper case from lower case" },
    { broken: TruncatingStorage, failing: "takes keys of 600 characters that differ only at the end" },
    { broken: BackwardsStorage, failing: "charges every limit of a list that has room" },
    { broken: FullerStorage, failing: "tests without charging" },
  ])("fails $broken.name: $failing", async ({ broken, failing }) => {
    const { failures } = await runContract(createWith(broken));
    const failed = [...failures].filter(([name]) => name.endsWith(` > ${failing}`));
    expect(failed.length).toBeGreaterThan(0);
    for (const [, error] of failed) expect(error).toBeInstanceOf(ContractViolation);
  });

  it("says in a failure what it expected and what it got", async () => {
    const { failures } = await runContract(createWith(RefundForgetter));
    const error = failures.get("storage contract > fixed-window > gives a charge back");
    expect(error).toMatchObject({ message: "remaining: expected 1, got 0", actual: 0, expected: 1 });
  });

  it("fails a storage that claims another set of strategies", async () => {
    const options = { strategies: ["fixed-window"] as StrategyName[] };
    const { failures } = await runContract(createWith(MemoryStorage), options);
    expect([...failures.keys()]).toEqual(["storage contract > names the strategies that it can run"]);
  });

  it("tests only the strategies that it is told", async () => {
    const { names } = await runContract(createWith(MemoryStorage), { strategies: ["token-bucket"] });
    expect(names.some((name) => name.includes("token-bucket"))).toBe(true);
    expect(names.some((name) => name.includes("moving-window"))).toBe(false);
  });

  it("asks a storage that cannot reset to throw, and tells the reason", async () => {
    const options = { gaps: { reset: "the server cannot list its keys" } };
    const test = "storage contract > refuses to reset: the server cannot list its keys";
    class CannotReset extends MemoryStorage {
      override reset(): void {
        throw new Error("cannot");
      }
    }
    expect((await runContract(createWith(CannotReset), options)).failures.size).toBe(0);
    expect([...(await runContract(createWith(MemoryStorage), options)).failures.keys()]).toEqual([test]);
  });

  it("closes every storage that it made, also after a failure", async () => {
    let [opened, closed] = [0, 0];
    const { names, failures } = await runContract(() => {
      opened++;
      const clock = new ManualClock();
      const storage = new RefundForgetter({ clock });
      return {
        storage,
        advance: (ms) => clock.advance(ms),
        close: () => {
          closed++;
        },
      };
    });
    expect(failures.size).toBeGreaterThan(0);
    expect([opened, closed]).toEqual([names.length, names.length]);
  });
});

describe("storageContract in other runners", () => {
  it("runs under node:test", async () => {
    const { stdout } = await runUnderNode("MemoryStorage");
    expect(stdout).toMatch(/# fail 0/);
    expect(Number(/# pass (\d+)/.exec(stdout)?.[1])).toBeGreaterThan(150);
  });

  it("fails a broken storage under node:test", async () => {
    const { stdout } = await runUnderNode("class extends MemoryStorage { refund() {} }").catch(
      (error: { readonly stdout: string }) => error,
    );
    expect(stdout).toMatch(/not ok \d+ - gives a charge back/);
  });
});

/** Bundles the contract for a storage class given as source text, and runs it with `node --test`. */
async function runUnderNode(storageClass: string): Promise<{ readonly stdout: string }> {
  const folder = await mkdtemp(join(tmpdir(), "storage-contract-"));
  try {
    const outfile = join(folder, "contract.test.mjs");
    await build({
      stdin: {
        contents: `
          import { describe, it } from "node:test";
          import { MemoryStorage } from "./src/memory/index.ts";
          import { ManualClock, storageContract } from "./src/testing/index.ts";
          const StorageClass = ${storageClass};
          storageContract({ describe, it }, () => {
            const clock = new ManualClock();
            return { storage: new StorageClass({ clock }), advance: (ms) => clock.advance(ms) };
          });`,
        resolveDir: join(import.meta.dirname, "../.."),
        loader: "ts",
      },
      bundle: true,
      platform: "node",
      format: "esm",
      outfile,
    });
    const environment = { ...process.env };
    delete environment["NODE_TEST_CONTEXT"];
    return await promisify(execFile)(process.execPath, ["--test", "--test-reporter=tap", outfile], {
      env: environment,
      maxBuffer: 10_000_000,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}
