import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { existingState, stateOf, statesOf } from "../../src/express/request-states.js";

const limiter = {};
const other = {};

/** A request as Node makes it, as far as states are concerned. */
function request(): { rawHeaders: string[] } {
  return { rawHeaders: ["Host", "localhost"] };
}

describe("the states of a request", () => {
  it("are found again by the limiter that made them", () => {
    const req = request();
    const state = stateOf(limiter, req);
    expect(stateOf(limiter, req)).toBe(state);
    expect(existingState(limiter, req)).toBe(state);
    expect(existingState(other, req)).toBeUndefined();
    expect(existingState(limiter, request())).toBeUndefined();
  });

  it("are one for each limiter, in the order in which they met it", () => {
    const req = request();
    const first = stateOf(limiter, req);
    expect(first.isAlone).toBe(true);
    const second = stateOf(other, req);
    expect([first.isAlone, second.isAlone]).toEqual([false, false]);
    expect(statesOf(req)).toEqual([first, second]);
    expect(stateOf(limiter, req)).toBe(first);
  });

  it("cannot be seen on the request or its headers", () => {
    const req = request();
    stateOf(limiter, req);
    expect(Reflect.ownKeys(req)).toEqual(["rawHeaders"]);
    expect(Reflect.ownKeys(req.rawHeaders)).toEqual(["0", "1", "length"]);
    expect(inspect(req, { showHidden: true })).not.toContain("owner");
  });

  it.each<[string, (req: { rawHeaders: string[] }) => object]>([
    ["inherits from it", (req) => Object.create(req)],
    ["is a copy of it", (req) => ({ ...req })],
    ["stands before it", (req) => new Proxy(req, {})],
  ])("are not those of a request that %s", (_, derive) => {
    for (const isDerivedFirst of [false, true]) {
      const req = request();
      const derived = derive(req);
      const [first, second] = isDerivedFirst ? [derived, req] : [req, derived];
      const [firstState, secondState] = [stateOf(limiter, first), stateOf(limiter, second)];
      expect(secondState).not.toBe(firstState);
      expect(existingState(limiter, first)).toBe(firstState);
      expect(existingState(limiter, second)).toBe(secondState);
      expect(statesOf(second)).toEqual([secondState]);
    }
  });

  it.each<[string, object]>([
    ["has no raw headers", {}],
    ["is frozen", Object.freeze({})],
    ["has frozen raw headers", { rawHeaders: Object.freeze(["Host", "localhost"]) }],
  ])("are kept for a request that %s", (_, req) => {
    const state = stateOf(limiter, req);
    expect(existingState(limiter, req)).toBe(state);
    expect(stateOf(other, req).earlier).toBe(state);
  });
});
