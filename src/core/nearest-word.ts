/**
 * The candidate that differs least from a word, for "did you mean" hints; `undefined` when none is near.
 *
 * Near means at most one slip for every three letters of the word, two at most. A slip is a letter left out, added,
 * wrong, or swapped with its neighbour. Case does not count; of equally near candidates the first is taken.
 *
 * @example
 * nearestWord("hor", ["minute", "hour"]); // "hour"
 */
export function nearestWord<Word extends string>(
  word: string,
  candidates: readonly Word[],
): Word | undefined {
  const longest = Math.max(0, ...candidates.map((candidate) => candidate.length));
  const slipsAllowed = Math.min(2, Math.floor(word.length / 3));
  if (word.length > longest + slipsAllowed) return undefined;
  const spelled = word.toLowerCase();
  for (let slips = 0; slips <= slipsAllowed; slips++) {
    const near = candidates.find((candidate) => isWithin(slips, spelled, candidate.toLowerCase()));
    if (near !== undefined) return near;
  }
  return undefined;
}

function isWithin(slips: number, a: string, b: string): boolean {
  let same = 0;
  while (same < a.length && a.charAt(same) === b.charAt(same)) same++;
  const restA = a.slice(same);
  const restB = b.slice(same);
  if (restA === "" || restB === "") return restA.length + restB.length <= slips;
  if (slips === 0) return false;
  const swapped = restA.charAt(0) === restB.charAt(1) && restA.charAt(1) === restB.charAt(0);
  return (
    isWithin(slips - 1, restA.slice(1), restB) ||
    isWithin(slips - 1, restA, restB.slice(1)) ||
    isWithin(slips - 1, restA.slice(1), restB.slice(1)) ||
    (swapped && isWithin(slips - 1, restA.slice(2), restB.slice(2)))
  );
}
