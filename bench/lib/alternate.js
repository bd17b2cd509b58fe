// Candidates measured in turns: A B C, B C A, C A B. Whatever disturbs the machine meets all of them, and none
// always follows the same other.

/**
 * Calls `measure(candidate, round)` for every candidate in every round.
 *
 * `measure` gives named numbers; the result is a Map from the candidate's name to the same names with a list,
 * one number for each round.
 */
export async function alternate(candidates, rounds, measure) {
  const measured = new Map(candidates.map(({ name }) => [name, {}]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < candidates.length; turn++) {
      const candidate = candidates[(turn + round) % candidates.length];
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
