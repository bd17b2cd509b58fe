// Candidates measured in turns: A B D C, B C A D, C D B A, D A C B. Whatever disturbs the machine meets all of them, and
// each follows every other equally often: what one leaves behind, warm caches or a garbage collector that still works,
// is no other's alone.
//
// Source: E. J. Williams, "Experimental Designs Balanced for the Estimation of Residual Effects of Treatments", 1949.

/** The order of one round, each candidate as often at each place as at any other. */
export function inTurns(candidates, round) {
  const { length } = candidates;
  const order = candidates.map((_, place) => {
    const step = place % 2 === 1 ? (place + 1) / 2 : length - place / 2;
    return candidates[(step + round) % length];
  });
  // Of an odd number the squares must be two, one the mirror of the other.
  return Math.floor(round / length) % 2 === 1 ? order.reverse() : order;
}

/**
 * Calls `measure(candidate, round)` for every candidate in every round.
 *
 * `measure` gives named numbers; the result is a Map from the candidate's name to the same names with a list,
 * one number for each round.
 */
export async function alternate(candidates, rounds, measure) {
  const measured = new Map(candidates.map(({ name }) => [name, {}]));
  for (let round = 0; round < rounds; round++) {
    for (const candidate of inTurns(candidates, round)) {
      const numbers = await measure(candidate, round);
      const lists = measured.get(candidate.name);
      for (const [name, value] of Object.entries(numbers)) {
        lists[name] ??= [];
        lists[name][round] = value;
      }
    }
  }
  return measured;
}
