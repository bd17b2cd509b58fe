import { createHash } from "node:crypto";
import block from "./scripts/block.lua";
import counters from "./scripts/counters.lua";
import decide from "./scripts/decide.lua";
import fixedWindow from "./scripts/fixed-window.lua";
import instantLog from "./scripts/instant-log.lua";
import movingWindow from "./scripts/moving-window.lua";
import prelude from "./scripts/prelude.lua";
import slidingWindowCounter from "./scripts/sliding-window-counter.lua";
import tokenBucket from "./scripts/token-bucket.lua";

/** The one script, sent whole only to a server that does not hold it yet. */
export const SCRIPT: string = [
  prelude,
  fixedWindow,
  instantLog,
  movingWindow,
  slidingWindowCounter,
  tokenBucket,
  block,
  counters,
  decide,
].join("\n");

/** What `EVALSHA` calls it by. */
export const SCRIPT_SHA: string = createHash("sha1").update(SCRIPT).digest("hex");
