import { chargesOf } from "../core/charges-of.js";
import { followsOneOf } from "../core/claim.js";
import type { Charge, Claim, HitOptions } from "../core/storage.js";
import type { Verdict } from "../core/strategy.js";
import { groupByTag, place, type TagGroup } from "./by-tag.js";
import type { Question } from "./wire.js";

/** Asks the server of a tag; all questions of a hit share its deadline. */
export type AskTag = (question: Question, tag: string) => Promise<readonly Verdict[]>;

/** A hit whose claims lie in several slots of a Cluster. */
export interface SpreadHit {
  readonly groups: readonly TagGroup<Claim>[];
  readonly claims: readonly Claim[];
  readonly mode: HitOptions["mode"];
  readonly ask: AskTag;
  /** Gives back in the background, in its own time: the hit's may be over. */
  readonly giveBack: (charges: readonly Charge[], tag: string) => void;
}

/**
 * Decides a list over several slots: reserves in all of them at once and gives back where that was in vain.
 *
 * No limit ever admits more than its amount, as what is reserved is charged. A hit that is refused may, for
 * the moment until it has given back, make another one be refused as well.
 */
export async function spreadHit(hit: SpreadHit): Promise<readonly Verdict[]> {
  const verdicts = await reserve(hit);
  const isRefused = (claim: Claim, i: number) => verdicts[i]?.allowed === false && claim.role === "limit";
  const refused = hit.claims.filter(isRefused);
  const metaRefused = hit.claims.some((claim, i) => claim.role === "meta" && verdicts[i]?.allowed === false);
  if (metaRefused || (hit.mode === "all" && refused.length > 0)) {
    await lookAgain(hit, giveBack(hit, verdicts), verdicts);
  }
  if (!metaRefused && refused.length > 0) await penalize(hit, refused, verdicts);
  return verdicts;
}

/** Charges in each slot what that slot allows. Meta claims are only tested: the breach may be elsewhere. */
async function reserve(hit: SpreadHit): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const answers = await Promise.allSettled(
    hit.groups.map(async (group) => {
      const claims = group.items.map(withoutPenalty);
      place(await hit.ask({ kind: "hit", claims, mode: hit.mode }, group.tag), group, verdicts);
    }),
  );
  const failed = answers.find((answer) => answer.status === "rejected");
  if (failed === undefined) return verdicts;
  giveBack(hit, verdicts);
  throw failed.reason;
}

/** A meta claim that no refusal in this list charges: its parent, the claim itself, is not in it. */
function withoutPenalty(claim: Claim): Claim {
  if (claim.role === "limit") return claim;
  const { policy, key, cost, role } = claim;
  return { policy, key, cost, role, parent: claim };
}

/** Gives back what was reserved; the groups in which that was something. */
function giveBack(hit: SpreadHit, verdicts: readonly Verdict[]): TagGroup<Claim>[] {
  return hit.groups.filter((group) => {
    const ofGroup = group.places.flatMap((at) => verdicts[at] ?? []);
    if (ofGroup.length < group.items.length) return false;
    const charges = chargesOf(group.items, ofGroup, hit.mode);
    if (charges.length > 0) hit.giveBack(charges, group.tag);
    return charges.length > 0;
  });
}

/** Puts verdicts of the state as it is now in place: what was given back travels ahead of the question. */
async function lookAgain(
  hit: SpreadHit,
  groups: readonly TagGroup<Claim>[],
  verdicts: Verdict[],
): Promise<void> {
  await Promise.all(
    groups.map(async (group) => {
      place(await hit.ask({ kind: "test", claims: group.items }, group.tag), group, verdicts);
    }),
  );
}

async function penalize(hit: SpreadHit, refused: readonly Claim[], verdicts: Verdict[]): Promise<void> {
  const places = hit.claims.flatMap((claim, at) => (followsOneOf(refused, claim) ? [at] : []));
  const tagAt = (at: number) => hit.groups.find((group) => group.places.includes(at))?.tag ?? "";
  await Promise.all(
    groupByTag(places, tagAt).map(async ({ tag, items }) => {
      const claims = items.flatMap((at) => hit.claims[at] ?? []);
      const after = await hit.ask({ kind: "penalize", claims }, tag);
      after.forEach((verdict, i) => {
        const at = items[i];
        if (at !== undefined) verdicts[at] = verdict;
      });
    }),
  );
}
