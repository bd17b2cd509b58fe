import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressKeyPart, escapeKeyPart, KeyPlace, keyHead } from "../../src/core/key.js";

const SAFE = /^[\x21-\x7e]*$/;
const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.string({
    unit: fc.constantFrom("%", "#", "@", "{", "}", ":", "0", "a", " ", "\0", "é", "\ud800"),
    maxLength: 12,
  }),
  fc.array(fc.nat(0xffff), { maxLength: 20 }).map((codes) => String.fromCharCode(...codes)),
);

describe("escapeKeyPart", () => {
  it.each(["ann", "user-42", "192.0.2.1", "2001:db8::/56", "GET /users/:id", "a_b~c!$&'()*+,;=\"<>[]\\^`|"])(
    "leaves what is safe as it is: %s",
    (text) => {
      if (!text.includes(" ")) expect(escapeKeyPart(text)).toBe(text);
      else expect(escapeKeyPart(text)).toBe(text.replaceAll(" ", "%0020"));
    },
  );

  it.each([
    ["a b", "a%0020b"],
    ["a\r\nb", "a%000d%000ab"],
    ["{ann}", "%007bann%007d"],
    ["100%", "100%0025"],
    ["#1", "%00231"],
    ["ann@example.org", "ann%0040example.org"],
    ["é", "%00e9"],
    ["\ud83d\ude00", "%d83d%de00"],
    ["\x7f", "%007f"],
    ["", ""],
  ])("escapes %j as %j", (text, escaped) => {
    expect(escapeKeyPart(text)).toBe(escaped);
  });

  it("gives printable ASCII without blank or brace, of at most 120 characters", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const part = escapeKeyPart(text);
        expect(part).toMatch(SAFE);
        expect(part).not.toMatch(/[{}@]/);
        expect(part.length).toBeLessThanOrEqual(120);
      }),
    );
  });

  it("gives different parts for different texts", () => {
    fc.assert(
      fc.property(anyText, anyText, (one, other) => {
        expect(escapeKeyPart(one) === escapeKeyPart(other)).toBe(one === other);
      }),
    );
  });

  it("cannot be fooled by a text that looks escaped, hashed or like an address", () => {
    const long = "x".repeat(121);
    const texts = [
      "a b",
      "a%0020b",
      "a%00250020b",
      long,
      escapeKeyPart(long),
      "@192.0.2.1",
      "192.0.2.1",
      "\0",
    ];
    const parts = [...texts.map(escapeKeyPart), addressKeyPart("192.0.2.1")];
    expect(new Set(parts).size).toBe(parts.length);
  });

  it("hashes what is longer than 120 characters, before or after it is escaped", () => {
    expect(escapeKeyPart("x".repeat(120))).toBe("x".repeat(120));
    for (const text of ["x".repeat(121), "é".repeat(25), "x".repeat(1_000_000)]) {
      expect(escapeKeyPart(text)).toMatch(/^#[0-9a-f]{40}$/);
    }
    expect(escapeKeyPart(`${"x".repeat(500)}a`)).not.toBe(escapeKeyPart(`${"x".repeat(500)}b`));
    expect(escapeKeyPart("é".repeat(25))).not.toBe(escapeKeyPart("è".repeat(25)));
  });

  it.each(["__proto__", "constructor", "toString"])("has no trouble with %s", (text) => {
    expect(escapeKeyPart(text)).toBe(text);
  });
});

describe("KeyPlace", () => {
  const compose = (prefix: string, who: string, counter: string): string =>
    new KeyPlace(keyHead(prefix), escapeKeyPart(counter), "5/60000/fw").keyOf(escapeKeyPart(who));

  it("puts the client in braces, a hash tag of Redis Cluster", () => {
    expect(compose("express-limits", "ann", "default:/x")).toBe("express-limits:{ann}:default:/x:5/60000/fw");
  });

  it("gives different keys for different prefixes, clients or counters", () => {
    const parts = fc.tuple(anyText, anyText, anyText);
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const isSame = one.every((part, i) => part === other[i]);
        expect(compose(...one) === compose(...other)).toBe(isSame);
      }),
    );
  });

  it("starts with the head of its own prefix and of no other", () => {
    fc.assert(
      fc.property(anyText, anyText, anyText, (prefix, other, who) => {
        const key = compose(prefix, who, "limit");
        expect(key.startsWith(keyHead(prefix))).toBe(true);
        expect(key.startsWith(keyHead(other))).toBe(prefix === other);
      }),
    );
  });
});
