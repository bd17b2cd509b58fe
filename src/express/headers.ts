import type { ServerResponse } from "node:http";
import type { EpochMilliseconds, Milliseconds } from "../core/clock.js";
import { propertyOf } from "./express-internals.js";
import type { PolicyHeaders } from "./policy-headers.js";
import { policyToTell, type RequestClaim, type RequestState } from "./request-state.js";
import { allShown, shownIn } from "./shown-limits.js";
import { sfInteger, toSeconds, windowSeconds } from "./structured-fields.js";

/** Which standard draft is spoken: `false` for none. */
export type StandardHeaders = false | "draft-6" | "draft-7" | "ietf";

/** Names of the classic headers; `false` drops one. */
export interface HeaderNames {
  /** The amount (or burst). @default "X-RateLimit-Limit" */
  readonly limit?: string | false | undefined;
  /** Whole units left. @default "X-RateLimit-Remaining" */
  readonly remaining?: string | false | undefined;
  /** Epoch seconds, rounded up, at which more becomes available. @default "X-RateLimit-Reset" */
  readonly reset?: string | false | undefined;
  /** On refusals only. @default "Retry-After" */
  readonly retryAfter?: string | false | undefined;
}

/** How headers are written; resolved once. */
export interface HeaderSettings {
  readonly enabled: boolean;
  readonly names: Readonly<Record<keyof HeaderNames, string | false>>;
  readonly retryAfter: "delta-seconds" | "http-date";
  readonly standard: StandardHeaders;
  readonly policies: PolicyHeaders;
}

/** The names that everybody uses. */
export const DEFAULT_HEADER_NAMES = {
  limit: "X-RateLimit-Limit",
  remaining: "X-RateLimit-Remaining",
  reset: "X-RateLimit-Reset",
  retryAfter: "Retry-After",
} as const;

/**
 * The classic headers, of one limit: the amount, whole units left, and the epoch second at which more becomes
 * available, rounded up.
 *
 * Called for every limited request: three `setHeader` are most of what a limiter costs. The function is fetched
 * once, since finding it on a response whose prototype Express has changed takes as long as calling it.
 */
export function writeClassicHeaders(
  res: ServerResponse,
  { names }: HeaderSettings,
  claim: RequestClaim,
  now: EpochMilliseconds,
): void {
  const { verdict } = claim;
  const setHeader = propertyOf(res, "setHeader");
  if (names.limit !== false) setHeader.call(res, names.limit, String(policyToTell(claim).capacity));
  if (names.remaining !== false) setHeader.call(res, names.remaining, String(verdict.remaining));
  if (names.reset !== false) {
    setHeader.call(res, names.reset, String(Math.ceil((now + verdict.resetAfterMs) / 1000)));
  }
}

/** The headers of a draft: of the one limit that is shown in the older drafts, of all limits in the present one. */
export function writeStandardHeaders(
  res: ServerResponse,
  { standard, policies }: HeaderSettings,
  shown: RequestClaim | undefined,
  state: RequestState,
): void {
  if (standard === false) return;
  if (standard === "ietf") writeIetf(res, policies, state.isAlone ? shownIn(state) : allShown(state.req));
  else if (shown === undefined) return;
  else if (standard === "draft-6") writeDraft6(res, shown);
  else writeDraft7(res, shown);
}

/** A thousand years: beyond, no date can be written, and none would be read. */
const LONGEST_WAIT_MS = 31_536_000_000_000;

/** `Retry-After` (RFC 9110, 10.2.3), rounded up. Nothing when no wait can help. */
export function writeRetryAfter(
  res: ServerResponse,
  { names, retryAfter }: HeaderSettings,
  retryAfterMs: Milliseconds,
  now: EpochMilliseconds,
): void {
  if (names.retryAfter === false || !(retryAfterMs <= LONGEST_WAIT_MS)) return;
  const seconds = toSeconds(retryAfterMs);
  const value =
    retryAfter === "http-date"
      ? new Date(Math.ceil((now + retryAfterMs) / 1000) * 1000).toUTCString()
      : String(seconds);
  res.setHeader(names.retryAfter, value);
}

/** draft-ietf-httpapi-ratelimit-headers-06: four fields, the reset in seconds from now. */
function writeDraft6(res: ServerResponse, claim: RequestClaim): void {
  const { verdict } = claim;
  const { capacity, limit } = policyToTell(claim);
  res.setHeader("RateLimit-Policy", `${sfInteger(capacity)};w=${windowSeconds(limit.windowMs)}`);
  res.setHeader("RateLimit-Limit", sfInteger(capacity));
  res.setHeader("RateLimit-Remaining", sfInteger(verdict.remaining));
  res.setHeader("RateLimit-Reset", String(toSeconds(verdict.resetAfterMs)));
}

/** draft-ietf-httpapi-ratelimit-headers-07: one dictionary. */
function writeDraft7(res: ServerResponse, claim: RequestClaim): void {
  const { verdict } = claim;
  const { capacity, limit } = policyToTell(claim);
  const [amount, remaining] = [sfInteger(capacity), sfInteger(verdict.remaining)];
  res.setHeader("RateLimit-Policy", `${amount};w=${windowSeconds(limit.windowMs)}`);
  res.setHeader(
    "RateLimit",
    `limit=${amount}, remaining=${remaining}, reset=${toSeconds(verdict.resetAfterMs)}`,
  );
}

/**
 * draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4: a list of policies, which was put together before, and a
 * list of what is left of each.
 */
function writeIetf(res: ServerResponse, policies: PolicyHeaders, all: readonly RequestClaim[]): void {
  if (all.length === 0) return;
  const { told, header } = policies.of(all);
  let limits = "";
  for (let i = 0; i < all.length; i++) {
    const verdict = all[i]?.verdict;
    if (verdict === undefined) continue;
    const reset = sfInteger(toSeconds(verdict.resetAfterMs));
    limits += `${i === 0 ? "" : ", "}${told[i]?.name};r=${sfInteger(verdict.remaining)};t=${reset}`;
  }
  const setHeader = propertyOf(res, "setHeader");
  setHeader.call(res, "RateLimit-Policy", header);
  setHeader.call(res, "RateLimit", limits);
}
