import type { Policy } from "../core/strategy.js";
import { checkMemcachedPolicy } from "./check-policy.js";
import type { Link } from "./connection/link.js";
import type { ProcessTime } from "./process-time.js";
import { blockForm, movingWindowForm, tokenBucketForm } from "./state-forms.js";
import { StateTally } from "./state-tally.js";
import type { Tally } from "./tally.js";
import { fixedWindowRule, slidingWindowRule } from "./window-rules.js";
import { WindowTally } from "./window-tally.js";

/** How a policy is counted here. Throws `ConfigurationError` for one that cannot be. */
export function createTally(policy: Policy, link: Link, time: ProcessTime): Tally {
  checkMemcachedPolicy(policy);
  switch (policy.strategy.name) {
    case "fixed-window":
      return new WindowTally(policy, fixedWindowRule, link, time);
    case "sliding-window-counter":
      return new WindowTally(policy, slidingWindowRule, link, time);
    case "token-bucket":
      return new StateTally(policy, tokenBucketForm, link, time);
    case "moving-window":
      return new StateTally(policy, movingWindowForm, link, time);
    case "block":
      return new StateTally(policy, blockForm, link, time);
  }
}
