// What the package's own entries share, in a file of its own, so that it exists once however many of them are loaded.
// Nobody outside can import it.

export * from "./core/charges-of.js";
export * from "./core/check-names.js";
export * from "./core/claim.js";
export * from "./core/clock.js";
export * from "./core/deadlines.js";
export * from "./core/decision.js";
export * from "./core/describe.js";
export * from "./core/digest.js";
export * from "./core/duration.js";
export * from "./core/errors.js";
export * from "./core/key.js";
export * from "./core/nearest-word.js";
export * from "./core/parse-limit.js";
export * from "./core/policy.js";
export * from "./core/rate-limit.js";
export * from "./core/rate-limiter.js";
export * from "./core/storage.js";
export * from "./core/strategies/block.js";
export * from "./core/strategies/fixed-window.js";
export * from "./core/strategies/instant-log.js";
export * from "./core/strategies/moving-window.js";
export * from "./core/strategies/sliding-window-counter.js";
export * from "./core/strategies/token-bucket.js";
export * from "./core/verdict.js";
export * from "./core/when-ready.js";
export * from "./memory/index.js";
