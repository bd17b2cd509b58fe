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

/**
 * The same addresses as texts that nobody has seen before: `nth(n)` makes one from its bytes, each time anew.
 *
 * So do requests: a header's text, or a new connection's address, is made from bytes and forgotten after the
 * answer. A text that is kept remembers its hash, and is found in a Map by its identity, which no request is.
 */
export function freshAddresses(count) {
  const bytes = Buffer.alloc(count * LONGEST);
  const ends = new Uint32Array(count);
  for (let n = 0; n < count; n++) ends[n] = n * LONGEST + bytes.latin1Write(address(n), n * LONGEST);
  return (n) => bytes.latin1Slice(n * LONGEST, ends[n]);
}

/** The numbers below `count` in an order that is random, and the same in every process. */
export function shuffled(count) {
  const order = Uint32Array.from({ length: count }, (_, n) => n);
  let random = 1;
  for (let last = count - 1; last > 0; last--) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    const other = Math.floor((random / 2 ** 32) * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/** Characters of an address. */
const LONGEST = 15;
