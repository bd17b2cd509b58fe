import type { Milliseconds } from "../core/clock.js";

/** Above it Memcached takes the number as an epoch second. */
const LONGEST_RELATIVE_S = 30 * 24 * 3600;

/** The protocol's numbers end here, in January 2038. */
const LATEST_S = 2 ** 31 - 1;

/** The server's clock may be ahead of ours by so much where it is its clock that decides. */
const CLOCK_SLACK_S = 24 * 3600;

/**
 * Says in the protocol's words that an item may be forgotten in `leftMs`, never earlier.
 *
 * Expiry only tidies up, so it is generous: one second because the server's clock ticks once a second, and an
 * eighth because the time of a process whose clock was set back runs slower.
 */
export function exptime(leftMs: Milliseconds): number {
  const seconds = Math.ceil((Math.max(0, leftMs) * 1.125) / 1000) + 1;
  if (seconds <= LONGEST_RELATIVE_S) return seconds;
  return Math.min(Math.floor(Date.now() / 1000) + seconds + CLOCK_SLACK_S, LATEST_S);
}
