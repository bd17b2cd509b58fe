// What a bench hands back: its tables, and the figures that have a target.
import { times } from "./markdown.js";

/**
 * A figure with its target.
 *
 * `value` is compared with `most` or `least`; `text` is how it reads.
 */
export function figure(what, value, { most, least, text = times(value) }) {
  const target = most === undefined ? `≥ ${least}` : `≤ ${most}`;
  const isMet = most === undefined ? value >= least : value <= most;
  return { what, text, target, isMet };
}

/** Prints the tables, and gives them to `index.js` when that started us. */
export async function publish({ markdown, figures = [] }) {
  if (process.send === undefined) {
    console.log(`${markdown}\n`);
    for (const { what, text, target, isMet } of figures)
      console.log(`${isMet ? "met   " : "MISSED"} ${what}: ${text} (target ${target})`);
  } else {
    await new Promise((sent) => process.send({ markdown, figures }, sent));
    process.disconnect();
  }
}

/** Tells that there is nothing to measure, and why. */
export const skip = (reason) => publish({ markdown: `Skipped: ${reason}.` });
