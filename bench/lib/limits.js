// The limits that are measured: so high that nothing is refused, unless a bench says otherwise.

export const AMOUNT = 1_000_000_000;
export const HOUR_MS = 3_600_000;

/** Three limits that stand together, as one would give them for seconds, minutes and hours. */
export const WINDOWS = [
  { name: "second", windowMs: 1000 },
  { name: "minute", windowMs: 60_000 },
  { name: "hour", windowMs: HOUR_MS },
];

/** The windows of one limit, or of three. */
export const windowsOf = (count) => (count === 1 ? WINDOWS.slice(2) : WINDOWS);

/** The same as text, in the grammar of express-limits. */
export const limitText = (count, amount = AMOUNT) =>
  windowsOf(count)
    .map(({ name }) => `${amount} per ${name}`)
    .join("; ");
