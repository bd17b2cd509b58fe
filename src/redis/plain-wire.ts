import type { Claim } from "../core/storage.js";
import type { Verdict } from "../core/strategy.js";
import type { PlainReader } from "./plain-answers.js";
import type { PlainShape, PlainShapes } from "./plain-shape.js";
import { PLAIN_HITS, type PlainStrategy, type Script } from "./scripts.js";
import {
  DOUBLE_BYTES,
  doubleAt,
  type EncodedCall,
  type Reply,
  type ServerInstant,
  type TimedQuestion,
} from "./wire.js";

/** How the script tells what became of a call. A refused one is all else. */
const CHARGED = 1;
const LATE = 2;

/** Hits of one shape that follow each other and expire together. */
interface Run {
  readonly shape: PlainShape;
  /** The shape's number, from 1. */
  readonly number: number;
  readonly notAfter: ServerInstant;
  calls: number;
}

/** What a script call is made of. */
interface PlainCall {
  readonly keys: readonly string[];
  readonly shapes: readonly PlainShape[];
  readonly runs: readonly Run[];
  readonly testNow: number | undefined;
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
    argument: argumentOf({ keys, shapes, runs, testNow }),
    decode: (reply) => decodePlainHits(reply, questions, runs, testNow),
  };
}

/** The number of a shape in this call, from 1. */
function numberOf(shape: PlainShape, shapes: PlainShape[]): number {
  const known = shapes.indexOf(shape);
  return known < 0 ? shapes.push(shape) : known + 1;
}

function argumentOf({ keys, shapes, runs, testNow }: PlainCall): string {
  const hasTwins = keys.length > 1 && new Set(keys).size < keys.length;
  let text = testNow === undefined ? "[0,0," : `[1,${testNow},`;
  text += `${hasTwins ? 1 : 0},${shapes.length}`;
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
  reply: DataView,
  questions: readonly TimedQuestion[],
  runs: readonly Run[],
  testNow: number | undefined,
): Reply {
  const serverAt = doubleAt(reply, 0);
  const now = testNow ?? serverAt;
  const answers: (readonly Verdict[] | "late")[] = [];
  let at = DOUBLE_BYTES;
  for (const { calls, shape } of runs) {
    for (let i = 0; i < calls; i++) {
      const outcome = reply.getUint8(at++);
      if (outcome === LATE) {
        answers.push("late");
        continue;
      }
      const claims = claimsAt(questions, answers.length);
      const verdicts = verdictsOf(claims, shape, { reply, at, now, isCharged: outcome === CHARGED });
      // What charged nothing must not pass, whatever the steps make of it.
      if (outcome !== CHARGED && verdicts.every(isAllowed)) throw new TypeError("It refused what has room.");
      answers.push(verdicts);
      at += shape.answerBytes;
    }
  }
  if (at !== reply.byteLength) throw new TypeError("The reply has another length.");
  return { serverAt, answers };
}

function claimsAt(questions: readonly TimedQuestion[], index: number): readonly Claim[] {
  const question = questions[index]?.question;
  return question?.kind === "hit" ? question.claims : [];
}

/** What the script says of one call. */
interface CallAnswer {
  readonly reply: DataView;
  /** Where it starts. */
  readonly at: number;
  readonly now: ServerInstant;
  readonly isCharged: boolean;
}

function verdictsOf(
  claims: readonly Claim[],
  { readers, offsets }: PlainShape,
  { reply, at, now, isCharged }: CallAnswer,
): readonly Verdict[] {
  // Of its size from the start: an empty list that is pushed to has room for 17.
  const verdicts = new Array<Verdict>(claims.length);
  for (let i = 0; i < claims.length; i++) {
    const reader = readers[i] as PlainReader;
    const entry = at + (offsets[i] as number);
    const endsAt = doubleAt(reply, entry);
    const first = doubleAt(reply, entry + DOUBLE_BYTES);
    const second = doubleAt(reply, entry + 2 * DOUBLE_BYTES);
    verdicts[i] = reader(claims[i] as Claim, { endsAt, first, second, now, isCharged });
  }
  return verdicts;
}

function isAllowed({ allowed }: Verdict): boolean {
  return allowed;
}
