import { readFileSync } from "node:fs";
import { publint } from "publint";
import { expect, inject, test } from "vitest";
import { bin, root, run } from "./install.js";

test("the package holds the build and what npm shows, nothing else", async () => {
  const listing = await run(root, "tar", "-tzf", inject("tarball"));
  const files = listing.trim().split("\n");
  const others = files.filter((file) => !file.startsWith("package/dist/"));

  expect(others.sort()).toEqual([
    "package/CHANGELOG.md",
    "package/LICENSE",
    "package/README.md",
    "package/package.json",
  ]);
  expect(files.filter((file) => file.startsWith("package/dist/") && !/\.(c?js|d\.c?ts)$/.test(file))).toEqual(
    [],
  );
});

test("publint finds nothing to say about it", async () => {
  const { buffer } = new Uint8Array(readFileSync(inject("tarball")));
  const { messages } = await publint({ strict: true, pack: { tarball: buffer } });
  expect(messages).toEqual([]);
});

test("its types resolve under node10, node16 from both module systems, and bundlers", async () => {
  await run(root, bin("attw"), inject("tarball"), "--profile", "strict", "--no-emoji");
});
