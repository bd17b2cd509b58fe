import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/core/digest.js";

/** SHA-256 of the text's UTF-16 code units, big endian, by Node. */
function sha256ByNode(text: string): string {
  return createHash("sha256").update(Buffer.from(text, "utf16le").swap16()).digest("hex");
}

describe("sha256", () => {
  it("gives FIPS 180-4's digest of nothing", () => {
    expect(sha256("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  it("agrees with node:crypto at every length from 0 to 300, so around every block boundary", () => {
    // A block holds 64 bytes; 55 and 56 bytes are the most with, and the least without, room for the length.
    for (let length = 0; length <= 300; length++) {
      const text = "a7é€".repeat(75).slice(0, length);
      expect(sha256(text), `${length} code units`).toBe(sha256ByNode(text));
    }
  });

  it.each([55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 1000, 65_535, 65_536])(
    "agrees with node:crypto at %i code units",
    (length) => {
      expect(sha256("x".repeat(length))).toBe(sha256ByNode("x".repeat(length)));
    },
  );

  it("agrees with node:crypto on any text, broken surrogates included", () => {
    const codeUnits = fc.array(fc.nat(0xffff), { maxLength: 200 });
    fc.assert(
      fc.property(codeUnits, (codes) => {
        const text = String.fromCharCode(...codes);
        expect(sha256(text)).toBe(sha256ByNode(text));
      }),
      { numRuns: 300 },
    );
  });

  it("tells broken surrogates apart, which UTF-8 would not", () => {
    expect(sha256("\ud800")).not.toBe(sha256("\ud801"));
    expect(sha256("\ud800")).not.toBe(sha256("\ufffd"));
  });

  it("hashes a text of 1 MB in less than a second", () => {
    const text = "0123456789abcdef".repeat(65_536);
    const startedAt = performance.now();
    const digest = sha256(text);
    expect(performance.now() - startedAt).toBeLessThan(1000);
    expect(digest).toBe(sha256ByNode(text));
  });
});
