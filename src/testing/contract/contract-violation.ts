/** A storage broke its contract. Runners show `actual` and `expected` side by side. */
export class ContractViolation extends Error {
  override readonly name = "ContractViolation";
  readonly actual: unknown;
  readonly expected: unknown;

  constructor(message: string, actual: unknown, expected: unknown) {
    super(`${message}: expected ${show(expected)}, got ${show(actual)}`);
    this.actual = actual;
    this.expected = expected;
  }
}

/** Throws unless both are the same; lists are compared item by item. */
export function expectSame(actual: unknown, expected: unknown, message: string): void {
  if (Array.isArray(actual) && Array.isArray(expected) && actual.length === expected.length) {
    if (actual.every((item, i) => Object.is(item, expected[i]))) return;
  }
  if (!Object.is(actual, expected)) throw new ContractViolation(message, actual, expected);
}

/** Throws unless `low <= actual <= high`. */
export function expectWithin(actual: number, low: number, high: number, message: string): void {
  if (actual >= low && actual <= high) return;
  throw new ContractViolation(message, actual, `${low} to ${high}`);
}

function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  return String(value);
}
