import { ConfigurationError } from "../core/errors.js";
import type { Policy } from "../core/strategy.js";

/** The largest amount of a window: its count gets four digits more in the counter, and the mark two. */
const MOST_COUNTED = 1e10;

/** A moving window's whole log travels twice for each decision: up to 10 kB at this amount. */
const MOST_LOGGED = 1000;

/** Throws `ConfigurationError` for a limit that Memcached cannot count exactly. */
export function checkMemcachedPolicy(policy: Policy): void {
  const strategy = policy.strategy.name;
  if (strategy === "fixed-window" || strategy === "sliding-window-counter") checkCounted(policy);
  else if (strategy === "moving-window") checkLogged(policy);
}

/** Throws for an amount that does not fit a counter. */
export function checkCounted({ limit }: Policy): void {
  if (limit.amount <= MOST_COUNTED) return;
  throw new ConfigurationError(
    `The memcached storage counts up to ${MOST_COUNTED} per window, got "${limit}". Count in larger units.`,
  );
}

function checkLogged({ limit }: Policy): void {
  if (limit.amount <= MOST_LOGGED) return;
  throw new ConfigurationError(
    `On the memcached storage a moving window holds up to ${MOST_LOGGED} units, got "${limit}". Use "sliding-window-counter" or "token-bucket" for it.`,
  );
}
