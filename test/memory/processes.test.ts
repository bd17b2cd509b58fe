import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";

const HEADER = `
  import { RateLimiter } from "./src/core/index.ts";
  import { MemoryStorage } from "./src/memory/index.ts";
`;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "memory-processes-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a program in a process of its own. */
async function run(name: string, program: string, ...flags: string[]) {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    stdin: { contents: HEADER + program, resolveDir: join(import.meta.dirname, "../.."), loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
  });
  return promisify(execFile)(process.execPath, [...flags, outfile], { timeout: 60_000 });
}

/** Bytes that a call makes when it is hot. Nothing is collected meanwhile: the young generation is large. */
const MEASURE = `
  function bytesPerCall(call: (i: number) => unknown, calls = 20_000): number {
    for (let i = 0; i < 60_000; i++) call(i);
    let least = Infinity;
    for (let round = 0; round < 10; round++) {
      globalThis.gc();
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < calls; i++) call(i);
      least = Math.min(least, (process.memoryUsage().heapUsed - before) / calls);
    }
    return least;
  }
`;

/** In V8: a verdict of 6 fields takes 72 bytes, the list 32 and its element 24, a field that is no small integer 16. */
const MOST_HIT_BYTES = 150;

/** With the claim (64 bytes), the public decision (112), that of its limit (104), and a list of each (56). */
const MOST_DECISION_BYTES = 540;

/** With three of all but the public decision. */
const MOST_LIST_BYTES = 1200;

it("makes nothing but the verdict in a list for a hit on one fixed window", async () => {
  const { stdout } = await run(
    "allocations",
    `import { createPolicy } from "./src/core/policy.ts";
    import { KeyPlace, keyHead } from "./src/core/key.ts";
    import { parseLimit } from "./src/core/parse-limit.ts";
    ${MEASURE}
    const storage = new MemoryStorage();
    const policy = createPolicy(parseLimit("1000000 per hour"), "fixed-window");
    const place = new KeyPlace(keyHead("app"), "counter", policy.id);
    const options = { mode: "all" } as const;
    const lists = Array.from({ length: 1000 }, (_, i) =>
      [{ policy, key: "", owner: "10.0.0." + i, place, cost: 1, role: "limit" } as const]);
    const tight = createPolicy(parseLimit("1 per hour"), "fixed-window");
    const tightPlace = new KeyPlace(keyHead("app"), "counter", tight.id);
    const refusals = lists.map(([claim]) => [{ ...claim, policy: tight, place: tightPlace }]);
    const hit = bytesPerCall((i) => storage.hit(lists[i % 1000], options));
    const refused = bytesPerCall((i) => storage.hit(refusals[i % 1000], options));
    const limiter = new RateLimiter({ storage });
    const decided = bytesPerCall((i) => limiter.hit("1000000 per hour", lists[i % 1000][0].owner));
    const three = "1000000 per second; 1000000 per minute; 1000000 per hour";
    const listed = bytesPerCall((i) => limiter.hit(three, lists[i % 1000][0].owner));
    console.log(JSON.stringify({ hit, refused, decided, listed }));`,
    "--expose-gc",
    // Compiled at once, not when another thread is done with it.
    "--no-concurrent-recompilation",
    "--max-semi-space-size=64",
    "--min-semi-space-size=64",
  );
  const { hit, refused, decided, listed } = JSON.parse(stdout);

  expect(hit).toBeLessThanOrEqual(MOST_HIT_BYTES);
  expect(refused).toBeLessThanOrEqual(MOST_HIT_BYTES);
  expect(decided).toBeLessThanOrEqual(MOST_DECISION_BYTES);
  expect(listed).toBeLessThanOrEqual(MOST_LIST_BYTES);
});

/** V8 mends objects that are made in an outdated shape: each then has its numbers once more. */
const MOST_MIXED_BYTES = 640;

it("makes no more for a hit where other strategies have run in the process", async () => {
  const { stdout } = await run(
    "mixed",
    `${MEASURE}
    const hits = (strategy: string, limit: string) => {
      const limiter = new RateLimiter({ storage: new MemoryStorage(), strategy });
      return (i: number) => limiter.hit(limit, "client-" + (i & 1));
    };
    const hit = hits("fixed-window", "1000000 per hour");
    bytesPerCall(hit);
    bytesPerCall(hits("sliding-window-counter", "1000000 per hour"));
    bytesPerCall(hits("token-bucket", "1000000 per hour"));
    bytesPerCall(hits("moving-window", "10 per second"));
    console.log(bytesPerCall(hit));`,
    "--expose-gc",
    "--no-concurrent-recompilation",
    "--max-semi-space-size=64",
    "--min-semi-space-size=64",
  );
  expect(Number(stdout)).toBeLessThanOrEqual(MOST_MIXED_BYTES);
});

it("takes at most 48 bytes of heap and buffers for a key, everything included", async () => {
  const { stdout } = await run(
    "bytes",
    `const used = () => {
      for (let i = 0; i < 4; i++) globalThis.gc();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const rehearsal = new RateLimiter({ storage: new MemoryStorage() });
    for (let i = 0; i < 30_000; i++) rehearsal.hit("10 per hour", "client-" + i);
    const before = used();
    globalThis.limiter = new RateLimiter({ storage: new MemoryStorage() });
    for (let i = 0; i < 200_000; i++) globalThis.limiter.hit("10 per hour", "client-" + i);
    console.log((used() - before) / 200_000);`,
    "--expose-gc",
  );
  expect(Number(stdout)).toBeGreaterThan(24);
  expect(Number(stdout)).toBeLessThanOrEqual(48);
});

it("ends when its work does, also with so many keys that a timer looks after them", async () => {
  const { stdout } = await run(
    "ends",
    `const limiter = new RateLimiter({ storage: new MemoryStorage() });
    for (let i = 0; i < 20_000; i++) limiter.hit("5 per day", "client-" + i);
    console.log("done");`,
  );
  expect(stdout.trim()).toBe("done");
});

it("can be collected while its timer runs", async () => {
  const { stdout } = await run(
    "collected",
    `let limiter: RateLimiter | undefined = new RateLimiter({ storage: new MemoryStorage() });
    const reference = new WeakRef(limiter.storage);
    for (let i = 0; i < 20_000; i++) limiter.hit("5 per day", "client-" + i);
    limiter = undefined;
    await new Promise((wake) => setTimeout(wake, 20));
    globalThis.gc();
    console.log(reference.deref() === undefined);`,
    "--expose-gc",
  );
  expect(stdout.trim()).toBe("true");
});

it("warns once in a cluster worker, and only there", async () => {
  const { stdout } = await run(
    "cluster",
    `import cluster from "node:cluster";
    const count = () => {
      for (const _ of [1, 2]) new RateLimiter({ storage: new MemoryStorage() }).hit("5 per day", "ann");
    };
    if (cluster.isPrimary) {
      process.on("warning", ({ code }) => console.log("primary", code));
      count();
      cluster.fork().on("message", (code) => console.log("worker", code));
    } else {
      process.on("warning", ({ code }) => process.send(code));
      count();
      setTimeout(() => process.disconnect(), 200);
    }`,
  );
  expect(stdout.trim()).toBe("worker EXPRESS_LIMITS_MEMORY_IN_CLUSTER");
});
