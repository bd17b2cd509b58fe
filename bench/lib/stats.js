// Medians, ranges and ratios over rounds.

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const mean = (numbers) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;

/** The mean of the middle four fifths. */
export function trimmedMean(numbers) {
  const cut = Math.floor(numbers.length / 10);
  return mean([...numbers].sort((a, b) => a - b).slice(cut, numbers.length - cut));
}

/** The mean, and how far it may be off: its standard error; unknown for a single number. */
export function meanWithError(numbers) {
  const middle = mean(numbers);
  const squares = numbers.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return { mean: middle, error: Math.sqrt(squares / (numbers.length - 1) / numbers.length) };
}

/** The value below which the given part of the numbers lies. */
export function quantile(numbers, part) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** Round by round: what was measured beside each other is compared with each other. */
export const minus = (a, b) => a.map((value, round) => value - b[round]);
export const over = (a, b) => a.map((value, round) => value / b[round]);

/** The median of the rounds' ratios. */
export const ratio = (a, b) => median(over(a, b));
