import { Contended } from "./contended.js";
import type { Item } from "./link.js";

/** Readings that never agree are given up after so many: a write that followed would lose, too. */
const MOST_READINGS = 5;

/** The answers of two readings: the second begins at the server after the first has been answered. */
export type TwoReadings = readonly [Item | undefined, Item | undefined];

/**
 * Reads a counter until its `cas` is certainly that of its text.
 *
 * An increment gives its own number also to the item that it replaces, so who is just reading that item sees the
 * old text with the new number: a write under that number would undo the increment. The next reading finds the
 * new item. So when two readings in a row have one number, the second one's text is the one it stands for.
 *
 * Rejects with {@link Contended} when the counter changes between all readings.
 */
export async function readSteadily(
  key: string,
  readTwice: () => Promise<TwoReadings>,
): Promise<Item | undefined> {
  for (let i = 0; i < MOST_READINGS; i++) {
    const [before, item] = await readTwice();
    if (before?.cas === item?.cas) return item;
  }
  throw new Contended(key);
}
