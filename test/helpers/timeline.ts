import type { ManualClock } from "express-limits/testing";
import { expect } from "vitest";
import type { TestServer } from "./http.js";
import { START } from "./limited-app.js";

/** One request of a timeline, and what must come of it. */
export interface Moment {
  /** Seconds since the start. */
  readonly at: number;
  /** `"GET /x"`. */
  readonly ask: string;
  readonly headers?: Record<string, string>;
  readonly status: number;
  /** `Retry-After` in seconds, where it matters. */
  readonly wait?: number;
}

/** Makes the requests of a table one after the other, each at its time, and compares the whole table. */
export async function expectTimeline(
  server: TestServer,
  clock: ManualClock,
  moments: readonly Moment[],
): Promise<void> {
  const seen: Moment[] = [];
  for (const { status: _status, wait, ...moment } of moments) {
    clock.set(START + moment.at * 1000);
    const [method = "", path = ""] = moment.ask.split(" ");
    const answer = await server.send(method, path, { headers: moment.headers ?? {} });
    const told = wait === undefined ? {} : { wait: Number(answer.headers["retry-after"]) };
    seen.push({ ...moment, status: answer.status, ...told });
  }
  expect(seen).toEqual(moments);
}
