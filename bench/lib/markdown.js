// Numbers and tables as text.
import { median } from "./stats.js";

export function number(value, digits = 0) {
  if (value === undefined || !Number.isFinite(value)) return "-";
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `median (lowest-highest)`. */
export function spread(numbers, digits = 0) {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return `${number(median(numbers), digits)} (${number(low, digits)} to ${number(high, digits)})`;
}

export const times = (value, digits = 2) => `${number(value, digits)} ×`;

/** Rows of cells; the first column is text, the others are numbers. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
