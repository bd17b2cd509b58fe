import type { Milliseconds } from "../core/clock.js";

/** What a promise is rejected with that was not there in time. */
export class DeadlinePassed extends Error {
  override readonly name = "DeadlinePassed";

  constructor(timeoutMs: Milliseconds) {
    super(`No answer within ${timeoutMs} ms.`);
  }
}
