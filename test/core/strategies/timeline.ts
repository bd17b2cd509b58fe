import { expect } from "vitest";
import type { Verdict } from "../../../src/core/strategy.js";
import type { Charged, Counter } from "./counter.js";

type Row = Readonly<Record<string, string>>;

/**
 * Plays a table, one row after the other, and compares what it says.
 *
 * The first line names the columns; lines that start with `//` are remarks, and `-` stands for "whatever".
 *
 * | column | holds |
 * |---|---|
 * | `at` | when, in milliseconds |
 * | `do` | `hit` (default), `test`, or `refund:2` for the charge of row 2 (from 0) |
 * | `cost` | default 1 |
 * | `allowed` | `yes` or `no` |
 * | `remaining`, `reset`, `retry` | units left, `resetAfterMs`, `retryAfterMs` (`never` for Infinity) |
 * | `full` | how long until all is forgotten: `expiresAt - at` |
 *
 * After a refund the columns tell what a test says.
 */
export function expectTimeline(counter: Counter, table: string): void {
  const rows = readTable(table);
  const charges = new Map<number, Charged>();
  const played = rows.map((row, i) => playRow(counter, row, i, charges));
  expect(played).toEqual(rows);
}

function readTable(table: string): Row[] {
  const [head, ...lines] = table
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("//"));
  const columns = head?.split(/\s+/) ?? [];
  return lines.map((line) => {
    const cells = line.split(/\s+/);
    if (cells.length !== columns.length) throw new Error(`not as many cells as columns: ${line}`);
    return Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? ""]));
  });
}

function playRow(counter: Counter, row: Row, index: number, charges: Map<number, Charged>): Row {
  const at = readNumber(row["at"]);
  const cost = readNumber(row["cost"] ?? "1");
  const [action = "hit", refunded] = (row["do"] ?? "hit").split(":");
  let verdict: Verdict;
  if (action === "hit") {
    const transition = counter.hit(at, cost);
    if (transition.allowed) charges.set(index, { cost, receipt: transition });
    verdict = transition;
  } else {
    const charge = charges.get(Number(refunded));
    if (charge !== undefined) counter.refund(at, charge);
    verdict = counter.test(at, cost);
  }
  const seen: Row = {
    allowed: verdict.allowed ? "yes" : "no",
    remaining: String(verdict.remaining),
    reset: String(verdict.resetAfterMs),
    retry: verdict.retryAfterMs === Number.POSITIVE_INFINITY ? "never" : String(verdict.retryAfterMs),
    full: String(Math.max(0, counter.expiresAt - at)),
  };
  return Object.fromEntries(
    Object.entries(row).map(([column, told]) => [column, asTold(told, seen[column])]),
  );
}

/** The cell as it was written, if what was seen says the same. */
function asTold(told: string, seen: string | undefined): string {
  if (seen === undefined || told === "-") return told;
  return told.replaceAll("_", "") === seen ? told : seen;
}

function readNumber(cell: string | undefined): number {
  const number = Number(cell?.replaceAll("_", ""));
  if (Number.isNaN(number)) throw new Error(`not a number: ${cell}`);
  return number;
}
