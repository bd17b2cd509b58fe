import type { Verdict } from "../core/strategy.js";

/** Items whose keys share a hash tag, with their places in the list that they come from. */
export interface TagGroup<T> {
  readonly tag: string;
  readonly items: readonly T[];
  readonly places: readonly number[];
}

/** Splits a list by hash tag. */
export function groupByTag<T>(items: readonly T[], tagOf: (item: T) => string): readonly TagGroup<T>[] {
  const groups = new Map<string, { tag: string; items: T[]; places: number[] }>();
  items.forEach((item, place) => {
    const tag = tagOf(item);
    const group = groups.get(tag) ?? { tag, items: [], places: [] };
    group.items.push(item);
    group.places.push(place);
    groups.set(tag, group);
  });
  return [...groups.values()];
}

/** Puts a group's verdicts in their places of the whole list. */
export function place<T>(verdicts: readonly Verdict[], group: TagGroup<T>, into: Verdict[]): void {
  verdicts.forEach((verdict, i) => {
    const at = group.places[i];
    if (at !== undefined) into[at] = verdict;
  });
}
