/** The part of RFC 9651 (Structured Field Values) that rate limit headers need: lists of strings with integers. */

import type { Milliseconds } from "../core/clock.js";

/** The largest integer that a structured field can hold: 15 digits (RFC 9651, 3.3.1). */
const MAX_INTEGER = 999_999_999_999_999;

/** `"text"` with `"` and `\` escaped (RFC 9651, 4.1.6). The text must be printable ASCII. */
export function sfString(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** A whole number from 0, clamped to 15 digits (RFC 9651, 4.1.4). */
export function sfInteger(value: number): string {
  return String(Math.max(0, Math.min(MAX_INTEGER, Math.ceil(value))));
}

/** An item with parameters: `"name";q=10;w=60` (RFC 9651, 4.1.3). */
export function sfItem(
  name: string,
  parameters: readonly { readonly key: string; readonly value: number }[],
): string {
  return parameters.reduce((item, { key, value }) => `${item};${key}=${sfInteger(value)}`, sfString(name));
}

/** A quota's window is a whole number of seconds, at least 1. */
export function windowSeconds(windowMs: Milliseconds): number {
  return Math.max(1, toSeconds(windowMs));
}

/** Rounded up. */
export function toSeconds(ms: Milliseconds): number {
  return Math.ceil(ms / 1000);
}
