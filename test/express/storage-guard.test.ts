import {
  type Claim,
  type HitOptions,
  Limiter,
  MemoryStorage,
  StorageError,
  type Verdict,
} from "express-limits";
import { expect, it, onTestFinished, vi } from "vitest";

const LIMIT = "5 per day";

/** Charges at once, in memory, and answers or fails when it is told to, in any order. */
class PuppetStorage extends MemoryStorage {
  readonly answers: (() => void)[] = [];
  readonly failures: (() => void)[] = [];

  override hit(claims: readonly Claim[], options: HitOptions): never {
    const verdicts = super.hit(claims, options);
    return new Promise<readonly Verdict[]>((resolve, reject) => {
      this.answers.push(() => resolve(verdicts));
      this.failures.push(() => reject(new StorageError("told to")));
    }) as never;
  }
}

function puppet(storageTimeout: number) {
  const storage = new PuppetStorage();
  const limiter = new Limiter({ storage, storageTimeout });
  onTestFinished(() => limiter.close());
  const told: string[] = [];
  limiter.on("storageError", () => told.push("lost")).on("storageRecovered", () => told.push("back"));
  const hit = () => Promise.resolve(limiter.hit(LIMIT, "ann"));
  return { storage, limiter, told, hit };
}

it("a hit that is decided after its caller gave up is given back", async () => {
  const { storage, hit } = puppet(30);
  await expect(hit()).rejects.toThrow("30 ms");
  const used = async () => (await new Limiter({ storage }).test(LIMIT, "ann")).used;
  expect(await used()).toBe(1);
  storage.answers[0]?.();
  await vi.waitFor(async () => expect(await used()).toBe(0));
});

it("a hit from before the storage came back, and that fails after it, is no new loss", async () => {
  const { storage, told, hit } = puppet(1000);
  const old = hit();
  const failing = hit();
  storage.failures[1]?.();
  await expect(failing).rejects.toThrow("told to");
  const good = hit();
  storage.answers[2]?.();
  expect(await good).toMatchObject({ allowed: true });
  storage.failures[0]?.();
  await expect(old).rejects.toThrow("told to");
  expect(told).toEqual(["lost", "back"]);
  const next = hit();
  storage.failures[3]?.();
  await expect(next).rejects.toThrow("told to");
  expect(told).toEqual(["lost", "back", "lost"]);
});
