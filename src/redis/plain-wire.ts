import type { Claim } from "../core/storage.js";
import type { Policy, StrategyName, Verdict } from "../core/strategy.js";
import { PLAIN_HITS } from "./scripts.js";
import type { EncodedCall, Reply, ServerInstant, TimedQuestion } from "./wire.js";

/** The claims of hits that differ in their keys only. */
type Shape = readonly Claim[];

/** Hits of one shape that follow each other and expire together. */
interface Run {
  readonly shape: number;
  readonly notAfter: ServerInstant;
  calls: number;
}

/** How one strategy's pairs of numbers read. `isCharged`: everything in its list had room. */
type ReadVerdict = (
  claim: Claim,
  first: number,
  second: number,
  now: ServerInstant,
  isCharged: boolean,
) => Verdict;

const READERS: Readonly<Record<string, ReadVerdict>> = {
  "fixed-window": fixedWindowVerdict,
  "token-bucket": tokenBucketVerdict,
};

/**
 * Writes a list of questions as `plain-start.lua` reads it, if all of them are hits that charge all or nothing
 * of one of the strategies that have a script of their own; else undefined.
 */
export function encodePlainHits(
  questions: readonly TimedQuestion[],
  testNow: number | undefined,
): EncodedCall | undefined {
  const strategy = commonStrategy(questions);
  const script = strategy === undefined ? undefined : PLAIN_HITS[strategy];
  const read = strategy === undefined ? undefined : READERS[strategy];
  if (script === undefined || read === undefined) return undefined;
  const keys: string[] = [];
  const shapes: Shape[] = [];
  const runs: Run[] = [];
  for (const { question, notAfter } of questions) {
    if (question.kind !== "hit") continue;
    const { claims } = question;
    addToRuns(runs, shapeNumber(shapes, claims), notAfter);
    for (let i = 0; i < claims.length; i++) keys.push((claims[i] as Claim).key);
  }
  const head = [testNow === undefined ? 0 : 1, testNow ?? 0, shapes.length, shapes.map(shapeNumbers)];
  const tail = runs.map(({ shape, notAfter, calls }) => [shape, notAfter, calls]);
  return {
    script,
    keys,
    argument: `[${head},${runs.length},${tail}]`,
    decode: (reply) => decodePlainHits(reply, questions, runs, read, testNow),
  };
}

/** The strategy of all claims, if they are plain. Hot: no closures. */
function commonStrategy(questions: readonly TimedQuestion[]): StrategyName | undefined {
  let common: Policy["strategy"] | undefined;
  for (const { question } of questions) {
    if (question.kind !== "hit" || question.mode !== "all") return undefined;
    for (const { role, policy } of question.claims) {
      common ??= policy.strategy;
      if (role !== "limit" || policy.strategy !== common) return undefined;
    }
  }
  return common === undefined || common.name === "block" ? undefined : common.name;
}

/** The number of a list's shape, from 1. The usual list has the shape of the one before it. */
function shapeNumber(shapes: Shape[], claims: readonly Claim[]): number {
  for (let number = shapes.length; number > 0; number--) {
    if (isSameShape(shapes[number - 1] as Shape, claims)) return number;
  }
  return shapes.push(claims);
}

function isSameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const one = a[i] as Claim;
    const other = b[i] as Claim;
    if (one.policy !== other.policy || one.cost !== other.cost) return false;
  }
  return true;
}

function shapeNumbers(shape: Shape): readonly number[] {
  const numbers = shape.flatMap(({ policy, cost }) => {
    const { limit, capacity, ticksPerMs, ticksPerToken } = policy;
    return [limit.amount, limit.windowMs, capacity, ticksPerMs, ticksPerToken, cost];
  });
  return [shape.length, ...numbers];
}

function addToRuns(runs: Run[], shape: number, notAfter: ServerInstant): void {
  const last = runs.at(-1);
  if (last !== undefined && last.shape === shape && last.notAfter === notAfter) last.calls++;
  else runs.push({ shape, notAfter, calls: 1 });
}

/** Reads the script's reply. Throws when it is none. */
function decodePlainHits(
  reply: unknown,
  questions: readonly TimedQuestion[],
  runs: readonly Run[],
  read: ReadVerdict,
  testNow: number | undefined,
): Reply {
  if (!Array.isArray(reply)) throw new TypeError("The reply is not a list.");
  const numbers: readonly unknown[] = reply;
  const serverAt = Number(numbers[0]);
  const now = testNow ?? serverAt;
  const answers: (readonly Verdict[] | "late")[] = [];
  let position = 1;
  for (const { calls } of runs) {
    const isLate = Number(numbers[position++]) === 1;
    for (let i = 0; i < calls; i++) {
      const claims = claimsAt(questions, answers.length);
      answers.push(isLate ? "late" : verdictsAt(numbers, position, claims, read, now));
      if (!isLate) position += 2 * claims.length;
    }
  }
  if (position !== numbers.length) throw new TypeError("The reply has another length.");
  return { serverAt, answers };
}

function claimsAt(questions: readonly TimedQuestion[], index: number): readonly Claim[] {
  const question = questions[index]?.question;
  return question?.kind === "hit" ? question.claims : [];
}

function verdictsAt(
  numbers: readonly unknown[],
  start: number,
  claims: readonly Claim[],
  read: ReadVerdict,
  now: ServerInstant,
): readonly Verdict[] {
  let isCharged = true;
  for (let i = 0; i < claims.length; i++) isCharged &&= Number(numbers[start + 2 * i]) >= 0;
  // Of its size from the start: an empty list that is pushed to has room for 17.
  const verdicts = new Array<Verdict>(claims.length);
  for (let i = 0; i < claims.length; i++) {
    const at = start + 2 * i;
    verdicts[i] = read(claims[i] as Claim, Number(numbers[at]), Number(numbers[at + 1]), now, isCharged);
  }
  return verdicts;
}

/** From `remaining`, or `-remaining - 1` of a refusal, and the window's time left. */
function fixedWindowVerdict({ policy, cost }: Claim, said: number, leftMs: number, now: number): Verdict {
  const { amount } = policy.limit;
  const allowed = said >= 0;
  const remaining = allowed ? said : -said - 1;
  const canEverFit = cost <= amount && amount > 0;
  return {
    allowed,
    remaining,
    resetAfterMs: remaining === amount ? 0 : leftMs,
    retryAfterMs: allowed ? 0 : canEverFit ? leftMs : Number.POSITIVE_INFINITY,
    receipt: allowed ? now + leftMs : 0,
    refundsSeen: 0,
  };
}

/** From the ticks that are available, or `-available - 1` of a refusal, and the ticks that were refunded. */
function tokenBucketVerdict(
  { policy, cost }: Claim,
  said: number,
  refunded: number,
  now: number,
  isCharged: boolean,
): Verdict {
  const { limit, capacity, ticksPerMs, ticksPerToken } = policy;
  const allowed = said >= 0;
  const available = allowed ? said : -said - 1;
  const tokens = Math.floor(available / ticksPerToken);
  return {
    allowed,
    remaining: limit.amount === 0 ? 0 : tokens,
    resetAfterMs: tokens === capacity ? 0 : untilTokensMs(policy, tokens + 1, available),
    retryAfterMs: allowed ? 0 : untilTokensMs(policy, cost, available),
    receipt: isCharged ? now * ticksPerMs + capacity * ticksPerToken - available : 0,
    refundsSeen: isCharged ? refunded : 0,
  };
}

/** Rounded up: at that millisecond the tokens are surely there. */
function untilTokensMs(policy: Policy, tokens: number, available: number): number {
  const { limit, capacity, ticksPerMs, ticksPerToken } = policy;
  if (tokens > capacity || limit.amount === 0) return Number.POSITIVE_INFINITY;
  return Math.ceil((tokens * ticksPerToken - available) / ticksPerMs);
}
