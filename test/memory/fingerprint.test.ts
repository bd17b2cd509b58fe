import { expect, it } from "vitest";
import { Fingerprint } from "../../src/memory/fingerprint.js";

function hashed(fingerprint: Fingerprint, text: string): string {
  fingerprint.hash(text);
  return `${fingerprint.low >>> 0} ${fingerprint.high >>> 0}`;
}

it.each([
  ["a", "1419140852 3961731193"],
  ["abcd", "48965960 3207598005"],
  ["hello world", "558113787 2188731506"],
])("agrees with an independent HalfSipHash-1-3 of the key 1, 2: %s", (text, expected) => {
  expect(hashed(new Fingerprint(new Int32Array([1, 2])), text)).toBe(expected);
});

it("gives other hashes in each instance", () => {
  expect(hashed(new Fingerprint(), "ann")).not.toBe(hashed(new Fingerprint(), "ann"));
});

it("tells texts apart beyond Latin-1, and from their bytes", () => {
  const fingerprint = new Fingerprint();
  const texts = ["ā", "Ā", "\x01\x01", "\0\x01", "日本", "日本 ", "𝒳", "\ud835\udcb3!", "", "\0", "a", "a\0"];
  expect(new Set(texts.map((text) => hashed(fingerprint, text))).size).toBe(texts.length);
});

it("spreads addresses evenly over all of its bits", () => {
  const fingerprint = new Fingerprint();
  const ones = new Array<number>(64).fill(0);
  const count = 20_000;
  for (let i = 0; i < count; i++) {
    fingerprint.hash(`10.0.${i >> 8}.${i & 255}`);
    for (let bit = 0; bit < 32; bit++) {
      ones[bit]! += (fingerprint.low >>> bit) & 1;
      ones[bit + 32]! += (fingerprint.high >>> bit) & 1;
    }
  }
  // Six standard deviations.
  for (const one of ones) expect(Math.abs(one - count / 2)).toBeLessThan(3 * Math.sqrt(count));
});
