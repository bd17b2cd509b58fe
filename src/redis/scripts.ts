import { createHash } from "node:crypto";
import block from "./scripts/block.lua";
import counters from "./scripts/counters.lua";
import decide from "./scripts/decide.lua";
import fixedWindow from "./scripts/fixed-window.lua";
import groups from "./scripts/groups.lua";
import instantLog from "./scripts/instant-log.lua";
import movingWindow from "./scripts/moving-window.lua";
import oneFixedWindow from "./scripts/one-fixed-window.lua";
import plainEntries from "./scripts/plain-entries.lua";
import plainFixedWindow from "./scripts/plain-fixed-window.lua";
import plainHits from "./scripts/plain-hits.lua";
import plainMixed from "./scripts/plain-mixed.lua";
import plainSlidingWindow from "./scripts/plain-sliding-window.lua";
import plainTokenBucket from "./scripts/plain-token-bucket.lua";
import prelude from "./scripts/prelude.lua";
import slidingWindowCounter from "./scripts/sliding-window-counter.lua";
import tokenBucket from "./scripts/token-bucket.lua";

/** The strategies whose plain hits have scripts of their own. */
export type PlainStrategy = "fixed-window" | "sliding-window-counter" | "token-bucket";

/** A script, sent whole only to a server that does not hold it yet. */
export interface Script {
  readonly text: string;
  /** What `EVALSHA` calls it by. */
  readonly sha: string;
}

/** Answers every question. */
export const DECIDE: Script = scriptOf(
  prelude,
  groups,
  fixedWindow,
  instantLog,
  movingWindow,
  slidingWindowCounter,
  tokenBucket,
  block,
  counters,
  decide,
);

/** Answer plain hits of one strategy, or of several, at a fraction of the cost. */
export const PLAIN_HITS: Readonly<Record<PlainStrategy | "mixed", Script>> = {
  "fixed-window": scriptOf(
    prelude,
    oneFixedWindow,
    groups,
    plainEntries,
    plainFixedWindow,
    take("plain_fixed_window"),
    plainHits,
  ),
  "sliding-window-counter": scriptOf(
    prelude,
    groups,
    plainEntries,
    plainSlidingWindow,
    take("plain_sliding_window"),
    plainHits,
  ),
  "token-bucket": scriptOf(
    prelude,
    groups,
    plainEntries,
    plainTokenBucket,
    take("plain_token_bucket"),
    plainHits,
  ),
  mixed: scriptOf(
    prelude,
    groups,
    plainEntries,
    plainFixedWindow,
    plainSlidingWindow,
    plainTokenBucket,
    plainMixed,
    take("plain_mixed"),
    plainHits,
  ),
};

/** The steps that `plain-hits.lua` runs. */
function take(maker: string): string {
  return `local charge, take_back = ${maker}()`;
}

function scriptOf(...parts: readonly string[]): Script {
  const text = parts.join("\n");
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}
