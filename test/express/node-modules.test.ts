import { isIPv4 as isNodesIPv4 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isIPv4, isIPv6 } from "../../src/express/ip-version.js";
import { nodeModule } from "../../src/express/node-modules.js";

describe("Node's own modules", () => {
  it("are loaded when they are asked for", async () => {
    expect(nodeModule("node:net").isIPv6).toBe((await import("node:net")).isIPv6);
  });

  it("are loaded by a Node that cannot be asked for them", async () => {
    const { getBuiltinModule } = process;
    Reflect.set(process, "getBuiltinModule", undefined);
    try {
      expect(nodeModule("node:url").parse).toBe((await import("node:url")).parse);
    } finally {
      Reflect.set(process, "getBuiltinModule", getBuiltinModule);
    }
  });
});

describe("the version of an address", () => {
  it.each([
    ["192.0.2.1", true],
    ["0.0.0.0", true],
    ["255.255.255.255", true],
    ["256.0.0.1", false],
    ["1.2.3", false],
    ["1.2.3.4.5", false],
    ["01.2.3.4", false],
    ["1.2.3.4\n", false],
    [" 1.2.3.4", false],
    ["1.2.3.4/8", false],
    ["", false],
    ["::1", false],
  ])("is 4 of %j: %s", (text, expected) => {
    expect(isIPv4(text)).toBe(expected);
    expect(isNodesIPv4(text)).toBe(expected);
  });

  it("is 4 of what Node takes for it, and of nothing else", () => {
    const bytes = fc.oneof(fc.integer({ min: 0, max: 300 }).map(String), fc.stringMatching(/^[0-9]{0,4}$/));
    const addresses = fc.array(bytes, { minLength: 3, maxLength: 5 }).map((parts) => parts.join("."));
    fc.assert(
      fc.property(fc.oneof(addresses, fc.ipV4(), fc.string()), (text) => {
        expect(isIPv4(text)).toBe(isNodesIPv4(text));
      }),
      { numRuns: 2000 },
    );
  });

  it("is 6 of what Node takes for it", () => {
    expect([isIPv6("2001:db8::1"), isIPv6("192.0.2.1"), isIPv6("2001:db8:::1")]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
