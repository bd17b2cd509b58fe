import { createHash } from "node:crypto";
import type { StrategyName } from "../core/strategy.js";
import block from "./scripts/block.lua";
import counters from "./scripts/counters.lua";
import decide from "./scripts/decide.lua";
import fixedWindow from "./scripts/fixed-window.lua";
import instantLog from "./scripts/instant-log.lua";
import movingWindow from "./scripts/moving-window.lua";
import plainFixedWindow from "./scripts/plain-fixed-window.lua";
import plainHits from "./scripts/plain-hits.lua";
import plainStart from "./scripts/plain-start.lua";
import plainTokenBucket from "./scripts/plain-token-bucket.lua";
import prelude from "./scripts/prelude.lua";
import slidingWindowCounter from "./scripts/sliding-window-counter.lua";
import tokenBucket from "./scripts/token-bucket.lua";

/** A script, sent whole only to a server that does not hold it yet. */
export interface Script {
  readonly text: string;
  /** What `EVALSHA` calls it by. */
  readonly sha: string;
}

/** Answers every question. */
export const DECIDE: Script = scriptOf(
  prelude,
  fixedWindow,
  instantLog,
  movingWindow,
  slidingWindowCounter,
  tokenBucket,
  block,
  counters,
  decide,
);

/** Answer plain hits of one strategy, at a fraction of the cost. */
export const PLAIN_HITS: Readonly<Partial<Record<StrategyName, Script>>> = {
  "fixed-window": scriptOf(prelude, plainStart, plainFixedWindow, plainHits),
  "token-bucket": scriptOf(prelude, plainStart, plainTokenBucket, plainHits),
};

function scriptOf(...parts: readonly string[]): Script {
  const text = parts.join("\n");
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}
