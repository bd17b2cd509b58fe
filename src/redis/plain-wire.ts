import type { Claim } from "../core/storage.js";
import type { Verdict } from "../core/strategy.js";
import type { PlainAnswer, PlainReader } from "./plain-answers.js";
import type { PlainShape, PlainShapes } from "./plain-shape.js";
import { PLAIN_HITS, type PlainStrategy, type Script } from "./scripts.js";
import type { EncodedCall, Reply, ServerInstant, TimedQuestion } from "./wire.js";

/** Hits of one shape that follow each other and expire together. */
interface Run {
  readonly shape: PlainShape;
  /** The shape's number, from 1. */
  readonly number: number;
  readonly notAfter: ServerInstant;
  calls: number;
}

/**
 * Writes a list of questions as `plain-hits.lua` reads it, if all of them are hits that charge all or nothing
 * of strategies that have such a script; else undefined.
 */
export function encodePlainHits(
  questions: readonly TimedQuestion[],
  known: PlainShapes,
  testNow: number | undefined,
): EncodedCall | undefined {
  const script = scriptFor(questions);
  if (script === undefined) return undefined;
  const keys: string[] = [];
  const shapes: PlainShape[] = [];
  const runs: Run[] = [];
  for (const { question, notAfter } of questions) {
    if (question.kind !== "hit") continue;
    const shape = known.of(question.claims);
    shape.addKeys(question.claims, keys);
    const last = runs.at(-1);
    if (last !== undefined && last.shape === shape && last.notAfter === notAfter) last.calls++;
    else runs.push({ shape, number: numberOf(shape, shapes), notAfter, calls: 1 });
  }
  return {
    script,
    keys,
    argument: argumentOf(shapes, runs, testNow),
    decode: (reply) => decodePlainHits(reply, questions, runs, testNow),
  };
}

/** The number of a shape in this call, from 1. */
function numberOf(shape: PlainShape, shapes: PlainShape[]): number {
  const known = shapes.indexOf(shape);
  return known < 0 ? shapes.push(shape) : known + 1;
}

function argumentOf(
  shapes: readonly PlainShape[],
  runs: readonly Run[],
  testNow: number | undefined,
): string {
  let text = testNow === undefined ? "[0,0," : `[1,${testNow},`;
  text += shapes.length;
  for (const shape of shapes) text += `,${shape.text}`;
  text += `,${runs.length}`;
  for (const { number, notAfter, calls } of runs) text += `,${number},${notAfter},${calls}`;
  return `${text}]`;
}

/** The script of their only strategy, or that of all; none if they are not plain. Hot: no closures. */
function scriptFor(questions: readonly TimedQuestion[]): Script | undefined {
  let common: string | undefined;
  for (const { question } of questions) {
    if (question.kind !== "hit" || question.mode !== "all") return undefined;
    for (const { role, policy } of question.claims) {
      const { name } = policy.strategy;
      if (role !== "limit" || name === "moving-window" || name === "block") return undefined;
      common = common === undefined || common === name ? name : "mixed";
    }
  }
  return common === undefined ? undefined : PLAIN_HITS[common as PlainStrategy | "mixed"];
}

/** Reads the script's reply. Throws when it is none. */
function decodePlainHits(
  reply: unknown,
  questions: readonly TimedQuestion[],
  runs: readonly Run[],
  testNow: number | undefined,
): Reply {
  if (!Array.isArray(reply)) throw new TypeError("The reply is not a list.");
  const serverAt = Number(reply[0]);
  const answer: PlainAnswer = { numbers: reply, now: testNow ?? serverAt, at: 1, isCharged: false };
  const answers: (readonly Verdict[] | "late")[] = [];
  for (const { calls, shape } of runs) {
    const isLate = Number(reply[answer.at++]) === 1;
    for (let i = 0; i < calls; i++) {
      const claims = claimsAt(questions, answers.length);
      answers.push(isLate ? "late" : verdictsOf(claims, shape.readers, answer));
    }
  }
  if (answer.at !== reply.length) throw new TypeError("The reply has another length.");
  return { serverAt, answers };
}

function claimsAt(questions: readonly TimedQuestion[], index: number): readonly Claim[] {
  const question = questions[index]?.question;
  return question?.kind === "hit" ? question.claims : [];
}

function verdictsOf(
  claims: readonly Claim[],
  readers: readonly PlainReader[],
  answer: PlainAnswer,
): readonly Verdict[] {
  answer.isCharged = haveAllRoom(readers, answer);
  // Of its size from the start: an empty list that is pushed to has room for 17.
  const verdicts = new Array<Verdict>(claims.length);
  for (let i = 0; i < claims.length; i++) {
    const reader = readers[i] as PlainReader;
    verdicts[i] = reader.read(claims[i] as Claim, answer);
    answer.at += reader.numbers;
  }
  return verdicts;
}

function haveAllRoom(readers: readonly PlainReader[], { numbers, at: start }: PlainAnswer): boolean {
  let at = start;
  for (let i = 0; i < readers.length; i++) {
    if (Number(numbers[at]) < 0) return false;
    at += (readers[i] as PlainReader).numbers;
  }
  return true;
}
