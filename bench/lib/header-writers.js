// The same headers for everyone who leaves them to the caller.
import { AMOUNT } from "./limits.js";

const seconds = (ms) => Math.max(0, Math.ceil(ms / 1000));

/** `(res, remaining, leftMs)`: sets the headers of one limit. What never changes is made once. */
export function headerWriter(kind, { name, windowMs }) {
  if (kind === "legacy") return writeLegacy;
  if (kind === "ietf") return ietfWriter(name, windowMs);
  return () => {};
}

function writeLegacy(res, remaining, leftMs) {
  res.setHeader("X-RateLimit-Limit", String(AMOUNT));
  res.setHeader("X-RateLimit-Remaining", String(remaining));
  res.setHeader("X-RateLimit-Reset", String(Math.ceil((Date.now() + leftMs) / 1000)));
}

function ietfWriter(name, windowMs) {
  const policy = `"${name}";q=${AMOUNT};w=${seconds(windowMs)}`;
  return (res, remaining, leftMs) => {
    res.setHeader("RateLimit-Policy", policy);
    res.setHeader("RateLimit", `"${name}";r=${remaining};t=${seconds(leftMs)}`);
  };
}
