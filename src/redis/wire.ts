import type { Charge, Claim, HitOptions } from "../core/storage.js";
import type { Policy, Strategy, Verdict } from "../core/strategy.js";
import { CountedVerdict } from "../core/verdict.js";
import { entryId, entryName, groupKey, isSameGroup } from "./groups.js";
import { DECIDE, type Script } from "./scripts.js";

/** An instant on the server's clock, in milliseconds since 2024-01-01: what the script's `server_at` counts. */
export type ServerInstant = number;

/** One question to the script, as a storage method asks it. */
export type Question =
  | { readonly kind: "hit"; readonly claims: readonly Claim[]; readonly mode: HitOptions["mode"] }
  | { readonly kind: "test" | "clear" | "penalize"; readonly claims: readonly Claim[] }
  | { readonly kind: "refund"; readonly charges: readonly Charge[] };

/** A question, and the server's instant from which on it must change nothing. */
export interface TimedQuestion {
  readonly question: Question;
  readonly notAfter: ServerInstant;
}

/** What the script says to a list of questions. */
export interface Reply {
  readonly serverAt: ServerInstant;
  /** For each question its verdicts; `"late"` when it came too late and nothing was done. */
  readonly answers: readonly (readonly Verdict[] | "late")[];
}

/** A script with its keys and its one argument, and how to read its reply. */
export interface EncodedCall {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly argument: string;
  /** Throws when it is no reply of this script. */
  readonly decode: (reply: DataView) => Reply;
}

const KINDS: Readonly<Record<Question["kind"], number>> = {
  hit: 1,
  test: 2,
  refund: 3,
  clear: 4,
  penalize: 5,
};

/** How the scripts know the strategies. */
export const STRATEGY_NUMBERS: Readonly<Record<Strategy["name"], number>> = {
  "fixed-window": 1,
  "moving-window": 2,
  "sliding-window-counter": 3,
  "token-bucket": 4,
  block: 5,
};

/** In a reply: a number, and a verdict, which is six of them. */
export const DOUBLE_BYTES = 8;
const VERDICT_BYTES = 6 * DOUBLE_BYTES;

/** How many claims a question brings. */
function claimCount(question: Question): number {
  return question.kind === "refund" ? question.charges.length : question.claims.length;
}

/** How many stored values a question reads, or more where limits of one counter do not stand together. */
export function keyCount(question: Question): number {
  let count = 0;
  let before: Claim | undefined;
  for (let i = claimCount(question); i > 0; i--) {
    const claim = question.kind === "refund" ? question.charges[i - 1]?.claim : question.claims[i - 1];
    if (claim === undefined || before === undefined || !isSameKey(before, claim)) count++;
    before = claim;
  }
  return count;
}

function isSameKey(a: Claim, b: Claim): boolean {
  return !isLog(a) && !isLog(b) && isSameGroup(a, b);
}

function isLog({ policy }: Claim): boolean {
  return policy.strategy.name === "moving-window";
}

/** The claims of a question. */
export function claimsOf(question: Question): readonly Claim[] {
  return question.kind === "refund" ? question.charges.map(({ claim }) => claim) : question.claims;
}

/** Writes a list of questions as `decide.lua` reads it. `testNow` replaces the server's clock. */
export function encodeCall(questions: readonly TimedQuestion[], testNow: number | undefined): EncodedCall {
  const encoder = new Encoder();
  for (const { question, notAfter } of questions) encoder.add(question, notAfter);
  const { keys, argument } = encoder.finish(questions.length, testNow);
  return { script: DECIDE, keys, argument, decode: (reply) => decodeReply(reply, questions) };
}

/** Reads the script's reply to these questions. Throws when it is none. Hot: one pass, no closures. */
function decodeReply(reply: DataView, questions: readonly TimedQuestion[]): Reply {
  const answers: (readonly Verdict[] | "late")[] = [];
  let at = DOUBLE_BYTES;
  for (const { question } of questions) {
    const isLate = doubleAt(reply, at) === 1;
    at += DOUBLE_BYTES;
    if (isLate) {
      answers.push("late");
      continue;
    }
    const verdicts: Verdict[] = [];
    const count = question.kind === "refund" || question.kind === "clear" ? 0 : question.claims.length;
    for (let i = 0; i < count; i++, at += VERDICT_BYTES) verdicts.push(verdictAt(reply, at));
    answers.push(verdicts);
  }
  if (at !== reply.byteLength) throw new TypeError("The reply has another length.");
  return { serverAt: doubleAt(reply, 0), answers };
}

/** A number of a reply. Throws a `RangeError` behind its end. */
export function doubleAt(reply: DataView, at: number): number {
  return reply.getFloat64(at, true);
}

function verdictAt(reply: DataView, at: number): Verdict {
  return new CountedVerdict(
    doubleAt(reply, at) === 1,
    doubleAt(reply, at + DOUBLE_BYTES),
    doubleAt(reply, at + 2 * DOUBLE_BYTES),
    doubleAt(reply, at + 3 * DOUBLE_BYTES),
    doubleAt(reply, at + 4 * DOUBLE_BYTES),
    doubleAt(reply, at + 5 * DOUBLE_BYTES),
  );
}

/** Numbers each group, each counter and each policy once. */
class Encoder {
  readonly #groups = new Map<string, number>();
  readonly #entries = new Map<string, number>();
  readonly #entryNumbers: number[] = [];
  readonly #logs = new Map<string, number>();
  readonly #policies = new Map<Policy, number>();
  readonly #policyNumbers: number[] = [];
  readonly #questions: number[] = [];

  add(question: Question, notAfter: ServerInstant): void {
    const each = question.kind === "hit" && question.mode === "each" ? 1 : 0;
    this.#questions.push(KINDS[question.kind], notAfter, each, claimCount(question));
    if (question.kind === "refund") {
      for (const { claim, receipt } of question.charges) {
        this.#addClaim(claim, receipt.receipt, receipt.refundsSeen);
      }
      return;
    }
    for (const claim of question.claims) {
      this.#addClaim(claim, claim.role === "meta" ? 1 : 0, parentNumber(claim, question.claims));
    }
  }

  finish(questionCount: number, testNow: number | undefined): Pick<EncodedCall, "keys" | "argument"> {
    const keys = [...this.#groups.keys(), ...this.#logs.keys()];
    const numbers = [
      ...[testNow === undefined ? 0 : 1, testNow ?? 0, this.#groups.size],
      ...[this.#entries.size, ...this.#entryNumbers],
      ...[this.#policies.size, ...this.#policyNumbers],
      ...[questionCount, ...this.#questions],
    ];
    return { keys, argument: JSON.stringify(numbers) };
  }

  #addClaim(claim: Claim, first: number, second: number): void {
    const { policy, cost } = claim;
    const index = isLog(claim) ? -numberIn(this.#logs, claim.key) : this.#entryOf(claim);
    this.#questions.push(index, this.#policyOf(policy), cost, first, second);
  }

  #entryOf(claim: Claim): number {
    const { key } = claim;
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    this.#entryNumbers.push(numberIn(this.#groups, groupKey(claim)), entryId(entryName(claim)));
    return numberIn(this.#entries, key);
  }

  #policyOf(policy: Policy): number {
    const known = this.#policies.get(policy);
    if (known !== undefined) return known;
    const { limit, capacity, ticksPerMs, ticksPerToken, strategy } = policy;
    this.#policyNumbers.push(
      STRATEGY_NUMBERS[strategy.name],
      limit.amount,
      limit.windowMs,
      capacity,
      ticksPerMs,
      ticksPerToken,
    );
    return numberIn(this.#policies, policy);
  }
}

/** Where a claim's parent stands, from 1; 0 for "any", -1 for one that is not in the list. */
function parentNumber({ parent }: Claim, claims: readonly Claim[]): number {
  return parent === undefined ? 0 : claims.indexOf(parent) + 1 || -1;
}

/** The number of a value, from 1, in the order of appearance. */
function numberIn<T>(numbers: Map<T, number>, value: T): number {
  const known = numbers.get(value);
  if (known !== undefined) return known;
  numbers.set(value, numbers.size + 1);
  return numbers.size;
}
