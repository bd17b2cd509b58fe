import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BLOCK_POLICY, STRATEGY_NAMES } from "../../src/core/policy.js";
import type { Charge, Claim } from "../../src/core/storage.js";
import type { Policy, Verdict } from "../../src/core/strategy.js";
import { MemoryStorage } from "../../src/memory/memory-storage.js";
import { RedisStorage } from "../../src/redis/redis-storage.js";
import { type Server, startRedis } from "../helpers/servers.js";
import { claim, freshClient, policy } from "./claims.js";

let server: Server;
let client: Redis;

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.port, "127.0.0.1");
});

afterAll(async () => {
  client.disconnect();
  await server.stop();
});

/** Sets of limits on one client, small enough that random histories fill them. */
const LIMITS: Readonly<Record<string, readonly Policy[]>> = {
  ...Object.fromEntries(
    STRATEGY_NAMES.map((name) => [name, [policy(name, 5, 100, "millisecond"), policy(name, 7, 3, "second")]]),
  ),
  "token-bucket with burst": [
    policy("token-bucket", 3, 100, "millisecond", 9),
    policy("token-bucket", 99_991, 1, "minute", 4),
  ],
  "large amounts": [
    policy("moving-window", 2 ** 53 - 1, 1, "second"),
    policy("fixed-window", 2 ** 53 - 1, 1, "second"),
    policy("moving-window", 2 ** 51, 300, "millisecond"),
  ],
  "amounts at the edge of an integer's digits": [
    policy("fixed-window", 32_767, 300, "millisecond"),
    policy("fixed-window", 32_768, 2, "second"),
    policy("fixed-window", 32_771, 300, "millisecond"),
    policy("fixed-window", 99_999_999_999_999, 1, "second"),
  ],
  "long logs": [policy("moving-window", 500, 700, "millisecond")],
  "amount 0": STRATEGY_NAMES.map((name) => policy(name, 0, 1, "second")),
  mixed: STRATEGY_NAMES.map((name) => policy(name, 6, 400, "millisecond")),
  "mixed without a log": [
    policy("sliding-window-counter", 6, 90, "millisecond"),
    policy("token-bucket", 7, 2, "second"),
    policy("fixed-window", 9, 700, "millisecond"),
    policy("fixed-window", 4, 50, "millisecond"),
  ],
};

/** A hit on some of the limits: `first` and as many as `count`, as far as there are. */
interface Part {
  readonly client: number;
  /** Every other limit counts elsewhere, so that the list lies in two stored values. */
  readonly isSpread: boolean;
  readonly first: number;
  readonly count: number;
  readonly costs: readonly number[];
}

type Step =
  | { readonly kind: "batch"; readonly parts: readonly Part[] }
  | { readonly kind: "hit"; readonly mode: "all" | "each"; readonly costs: readonly number[] }
  | { readonly kind: "test" | "clear"; readonly costs: readonly number[] }
  | { readonly kind: "refund"; readonly which: number };

const cost = fc.oneof(
  { weight: 8, arbitrary: fc.constant(1) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 9 }) },
  { weight: 1, arbitrary: fc.integer({ min: 32_760, max: 32_770 }) },
  { weight: 1, arbitrary: fc.integer({ min: 2 ** 49, max: 2 ** 53 - 1 }) },
);
const costs = fc.array(cost, { minLength: 8, maxLength: 8 });
const part = fc.record({
  client: fc.nat(3),
  isSpread: fc.boolean(),
  first: fc.nat(4),
  count: fc.integer({ min: 1, max: 4 }),
  costs,
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("batch" as const),
      parts: fc.array(part, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constant("hit" as const), mode: fc.constantFrom("all", "each"), costs }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("test" as const), costs }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("refund" as const), which: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const), costs }) },
);
const waitMs = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 60 }) },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: 4000 }) },
);
const history = fc.array(fc.record({ waitMs, step }), { minLength: 1, maxLength: 40 });
/** Mostly hits in different milliseconds, so that a log spans several blocks and is cut at its start. */
const longHistory = fc.array(
  fc.record({
    waitMs: fc.oneof(
      { weight: 50, arbitrary: fc.integer({ min: 1, max: 4 }) },
      { weight: 1, arbitrary: waitMs },
    ),
    step: fc.oneof(
      {
        weight: 30,
        arbitrary: fc.record({ kind: fc.constant("hit" as const), mode: fc.constant("all" as const), costs }),
      },
      { weight: 5, arbitrary: fc.record({ kind: fc.constant("refund" as const), which: fc.nat(200) }) },
    ),
  }),
  { minLength: 300, maxLength: 400 },
);

/** The claims of a step: its limits, a limit on breaches of the first one, and a block that follows any. */
function claimsOf(who: string, limits: readonly Policy[], stepCosts: readonly number[]): Claim[] {
  const claims = limits.map((of, i) => claim(of, { who, cost: stepCosts[i] ?? 1 }));
  const breaches = claim(policy("fixed-window", 3, 1, "second"), {
    who,
    key: `test:{${who}}:breaches`,
    role: "meta",
    parent: claims[0],
  });
  const block = claim(BLOCK_POLICY, { who, cost: 35, role: "meta" });
  return (stepCosts[6] ?? 0) % 2 === 1 ? claims : [breaches, ...claims, block];
}

/** Plays a history in a storage, and gives what it says to each step. */
async function play(
  storage: MemoryStorage | RedisStorage,
  limits: readonly Policy[],
  steps: readonly { readonly waitMs: number; readonly step: Step }[],
  clock: { now: number },
): Promise<unknown[]> {
  const who = freshClient();
  const charges: Charge[] = [];
  const answers: unknown[] = [];
  for (const { waitMs: ms, step: one } of steps) {
    clock.now += ms;
    if (one.kind === "refund") {
      const charge = charges.splice(one.which % (charges.length || 1), 1);
      await storage.refund(charge);
      answers.push("refunded");
      continue;
    }
    if (one.kind === "batch") {
      answers.push(await playBatch(storage, who, limits, one.parts, charges));
      continue;
    }
    const claims = claimsOf(who, limits, one.costs);
    if (one.kind === "clear") {
      await storage.clear(claims.slice(0, 2));
      answers.push("cleared");
      continue;
    }
    const verdicts: readonly Verdict[] =
      one.kind === "hit" ? await storage.hit(claims, { mode: one.mode }) : await storage.test(claims);
    answers.push(verdicts.map(told));
    if (one.kind === "hit") keepCharges(claims, verdicts, one.mode, charges);
  }
  return answers;
}

/** Hits that are asked for in one turn, of one client or of several: each on one limit or more. */
async function playBatch(
  storage: MemoryStorage | RedisStorage,
  who: string,
  limits: readonly Policy[],
  parts: readonly Part[],
  charges: Charge[],
): Promise<unknown[]> {
  const lists = parts.map(({ client: number, isSpread, first, count, costs: partCosts }) => {
    const start = first % limits.length;
    return limits.slice(start, start + count).map((of, i) => {
      const [whose, cost] = [`${who}-${number}`, partCosts[i] ?? 1];
      return isSpread && i % 2 === 1
        ? claim(of, { who: whose, cost, key: `test:{${whose}}:/y:${of.id}` })
        : claim(of, { who: whose, cost });
    });
  });
  const answers = await Promise.all(lists.map((list) => storage.hit(list, { mode: "all" })));
  lists.forEach((list, i) => {
    keepCharges(list, answers[i] ?? [], "all", charges);
  });
  return answers.map((verdicts) => verdicts.map(told));
}

function keepCharges(
  claims: readonly Claim[],
  verdicts: readonly Verdict[],
  mode: "all" | "each",
  charges: Charge[],
): void {
  const refused = (role: Claim["role"]) => claims.some((c, i) => c.role === role && !verdicts[i]?.allowed);
  if (refused("meta") || (mode === "all" && refused("limit"))) return;
  claims.forEach((one, i) => {
    const receipt = verdicts[i];
    if (one.role === "limit" && receipt?.allowed) charges.push({ claim: one, receipt });
  });
}

/** What a verdict says to its reader; the receipt speaks only to the storage. */
function told({ allowed, remaining, resetAfterMs, retryAfterMs }: Verdict): unknown {
  return { allowed, remaining, resetAfterMs, retryAfterMs };
}

describe.each(Object.entries(LIMITS))("%s", (name, limits) => {
  test("the script says what the TypeScript steps say, over random histories", async () => {
    await fc.assert(
      fc.asyncProperty(name === "long logs" ? longHistory : history, async (steps) => {
        const memoryClock = { now: 1000 };
        const memory = new MemoryStorage({ clock: { now: () => memoryClock.now } });
        const redisClock = { now: 1000 };
        const redis = new RedisStorage(client, {
          clock: { now: () => redisClock.now },
          denyCacheMs: 0,
          commandTimeoutMs: 5000,
        });
        const expected = await play(memory, limits, steps, memoryClock);
        const said = await play(redis, limits, steps, redisClock).finally(() => redis.close());
        expect(said).toEqual(expected);
      }),
      { numRuns: name === "long logs" ? 5 : 60 },
    );
  });
});
