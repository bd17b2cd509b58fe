import { ConfigurationError } from "../core/errors.js";
import type { Policy } from "../core/strategy.js";
import type { Link } from "./connection/link.js";
import type { ProcessTime } from "./process-time.js";
import { blockForm, movingWindowForm, tokenBucketForm } from "./state-forms.js";
import { StateTally } from "./state-tally.js";
import type { Tally } from "./tally.js";
import { fixedWindowRule, slidingWindowRule } from "./window-rules.js";
import { WindowTally } from "./window-tally.js";

/** A moving window's whole log travels twice for each decision: up to 10 kB at this amount. */
const MOST_LOGGED = 1000;

/** How a policy is counted here. Throws `ConfigurationError` for one that cannot be. */
export function createTally(policy: Policy, link: Link, time: ProcessTime): Tally {
  switch (policy.strategy.name) {
    case "fixed-window":
      return new WindowTally(policy, fixedWindowRule, link, time);
    case "sliding-window-counter":
      return new WindowTally(policy, slidingWindowRule, link, time);
    case "token-bucket":
      return new StateTally(policy, tokenBucketForm, link, time);
    case "moving-window":
      checkLog(policy);
      return new StateTally(policy, movingWindowForm, link, time);
    case "block":
      return new StateTally(policy, blockForm, link, time);
  }
}

function checkLog({ limit }: Policy): void {
  if (limit.amount <= MOST_LOGGED) return;
  throw new ConfigurationError(
    `On the memcached storage a moving window holds up to ${MOST_LOGGED} units, got "${limit}". Use "sliding-window-counter" or "token-bucket" for it.`,
  );
}
