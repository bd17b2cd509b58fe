import type { Request, Response } from "express";
import type {
  Decision,
  Limiter,
  LimiterEventName,
  LimiterEvents,
  LimiterListener,
  RateLimitExceeded,
  StorageError,
} from "express-limits";
import { describe, expectTypeOf, it } from "vitest";

declare const limiter: Limiter;
declare const name: LimiterEventName;

describe("limiter.on", () => {
  it("gives each listener the payload of its event", () => {
    limiter.on("breach", (event) => {
      expectTypeOf(event.req).toEqualTypeOf<Request>();
      expectTypeOf(event.res).toEqualTypeOf<Response>();
      expectTypeOf(event.error).toEqualTypeOf<RateLimitExceeded>();
      expectTypeOf(event.observed).toEqualTypeOf<boolean>();
    });
    limiter.on("metaBreach", (event) => {
      expectTypeOf(event.error).toEqualTypeOf<RateLimitExceeded>();
      // @ts-expect-error: only a breach may be observed
      event.observed;
    });
    limiter.on("allowed", (event) => {
      expectTypeOf(event.decision).toEqualTypeOf<Decision>();
    });
    limiter.on("denied", (event) => {
      expectTypeOf(event.error.key).toEqualTypeOf<string>();
      expectTypeOf<(typeof event.error)["code"]>().toEqualTypeOf<"CLIENT_DENIED">();
      expectTypeOf(event.error.retryAfterMs).toEqualTypeOf<number>();
    });
    limiter.on("storageError", (event) => {
      expectTypeOf(event).toEqualTypeOf<{ readonly error: StorageError }>();
    });
    limiter.on("storageRecovered", (event) => {
      // @ts-expect-error: there is nothing to tell
      event.error;
    });
    limiter.on("limitError", (event) => {
      expectTypeOf(event.req).toEqualTypeOf<Request>();
      expectTypeOf(event.error).toEqualTypeOf<unknown>();
    });
  });

  it("refuses a name that there is not", () => {
    // @ts-expect-error: it is "breach"
    limiter.on("breech", () => {});
    // @ts-expect-error: it is "breach"
    limiter.off("breech", () => {});
    // @ts-expect-error: any text will not do
    limiter.on("breach" as string, () => {});
  });

  it("refuses a listener of another event", () => {
    const onDenied: LimiterListener<"denied"> = ({ error }) => error.key;
    limiter.on("denied", onDenied);
    // @ts-expect-error: a breach has no such error
    limiter.on("breach", onDenied);
    // @ts-expect-error: a listener is a function
    limiter.on("breach", {});
  });

  it("takes listeners without parameters, async ones, and chains", () => {
    expectTypeOf(limiter.on("breach", () => {}).off("breach", async () => {})).toEqualTypeOf<Limiter>();
  });

  it("forbids to change what is told", () => {
    limiter.on("breach", (event) => {
      // @ts-expect-error: an event is read only
      event.observed = true;
    });
  });
});

describe("LimiterEventName", () => {
  it("is every event by name", () => {
    expectTypeOf(name).toEqualTypeOf<
      "breach" | "metaBreach" | "allowed" | "denied" | "storageError" | "storageRecovered" | "limitError"
    >();
    expectTypeOf<keyof LimiterEvents>().toEqualTypeOf<LimiterEventName>();
  });
});
