import { expect, test } from "vitest";
import { nearestWord } from "../../src/core/nearest-word.js";

const WORDS = ["second", "minute", "hour", "day", "week", "month", "year", "minutes"] as const;

test.each([
  { word: "hor", near: "hour", because: "a letter is left out" },
  { word: "houur", near: "hour", because: "a letter is added" },
  { word: "haur", near: "hour", because: "a letter is wrong" },
  { word: "huor", near: "hour", because: "two letters are swapped" },
  { word: "HOR", near: "hour", because: "case does not count" },
  { word: "mintues", near: "minutes", because: "two slips are near in a long word" },
  { word: "hour", near: "hour", because: "it is the word itself" },
  { word: "hxxr", near: undefined, because: "two slips are too many in a short word" },
  { word: "da", near: undefined, because: "a word of two letters resembles too much" },
  { word: "century", near: undefined, because: "nothing resembles it" },
  { word: "", near: undefined, because: "it is empty" },
])("the nearest word to $word is $near: $because", ({ word, near }) => {
  expect(nearestWord(word, WORDS)).toBe(near);
});

test("a huge word is near to nothing, at once", () => {
  const started = performance.now();
  expect(nearestWord("hour".repeat(250_000), WORDS)).toBeUndefined();
  expect(performance.now() - started).toBeLessThan(100);
});

test("nothing is near where there are no candidates", () => {
  expect(nearestWord("hour", [])).toBeUndefined();
});
