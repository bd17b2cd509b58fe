import { describe, expect, it } from "vitest";
import { appended, joined } from "../../src/express/exact-lists.js";

describe("a list that is exactly as long as it must be", () => {
  it.each([
    [[], 1, [1]],
    [[1], 2, [1, 2]],
    [[1, 2, 3], 4, [1, 2, 3, 4]],
  ])("%j and one more, %j", (list, item, longer) => {
    const before = [...list];
    expect(appended<number>(list, item)).toEqual(longer);
    expect(list).toEqual(before);
  });

  it.each([
    [[], [], []],
    [[], [1], [1]],
    [[1], [], [1]],
    [
      [1, 2],
      [3, 4, 5],
      [1, 2, 3, 4, 5],
    ],
  ])("%j and %j", (first, second, both) => {
    const before = [[...first], [...second]];
    expect(joined<number>(first, second)).toEqual(both);
    expect([first, second]).toEqual(before);
  });
});
