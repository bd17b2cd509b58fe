// Distinct addresses.

/**
 * The nth of 2^32 addresses, in no useful order.
 *
 * It goes through a buffer so that the text is one flat piece, as that of a socket's address is, and not a
 * chain of pieces that the first reader would have to join.
 */
export function address(n) {
  const bits = Math.imul(n + 1, 2_654_435_761) >>> 0;
  const text = `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
  return scratch.latin1Slice(0, scratch.latin1Write(text, 0));
}

const scratch = Buffer.alloc(16);

export const addresses = (count) => Array.from({ length: count }, (_, n) => address(n));
