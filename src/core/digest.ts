/** First 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
const ROUND_CONSTANTS = fractions(64, 1 / 3);

/** First 32 bits of the fractional parts of the square roots of the first 8 primes (FIPS 180-4, 5.3.3). */
const INITIAL_HASH = fractions(8, 1 / 2);

/**
 * SHA-256 of a text's UTF-16 code units, big endian, as 64 lower-case hexadecimal digits.
 *
 * Over code units and not UTF-8, so that two different strings never share their bytes, broken surrogates
 * included. Here because this folder runs anywhere; used only for keys that are too long to store.
 *
 * Source: FIPS 180-4.
 */
export function sha256(text: string): string {
  const words = paddedWords(text);
  const hash = Uint32Array.from(INITIAL_HASH);
  const schedule = new Uint32Array(64);
  for (let block = 0; block < words.length; block += 16) {
    schedule.set(words.subarray(block, block + 16));
    extend(schedule);
    compress(hash, schedule);
  }
  return Array.from(hash, (word) => word.toString(16).padStart(8, "0")).join("");
}

/** The message as 32-bit words: two code units each, a one bit, zeros, and the length in bits. */
function paddedWords(text: string): Uint32Array {
  const bits = text.length * 16;
  const words = new Uint32Array(Math.ceil((bits + 65) / 512) * 16);
  for (let i = 0; i < text.length; i++) {
    words[i >> 1] = (words[i >> 1] ?? 0) | (text.charCodeAt(i) << (i % 2 === 0 ? 16 : 0));
  }
  words[text.length >> 1] = (words[text.length >> 1] ?? 0) | (0x8000 << (text.length % 2 === 0 ? 16 : 0));
  words[words.length - 2] = Math.floor(bits / 2 ** 32);
  words[words.length - 1] = bits >>> 0;
  return words;
}

function extend(w: Uint32Array): void {
  for (let t = 16; t < 64; t++) {
    const [w2, w15] = [w[t - 2] ?? 0, w[t - 15] ?? 0];
    const sigma1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10);
    const sigma0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3);
    w[t] = sigma1 + (w[t - 7] ?? 0) + sigma0 + (w[t - 16] ?? 0);
  }
}

function compress(hash: Uint32Array, w: Uint32Array): void {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = hash;
  for (let t = 0; t < 64; t++) {
    const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + sum1 + ((e & f) ^ (~e & g)) + (ROUND_CONSTANTS[t] ?? 0) + (w[t] ?? 0)) | 0;
    const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    hash[i] = (hash[i] ?? 0) + word;
  });
}

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

function fractions(count: number, exponent: number): Uint32Array {
  const words = new Uint32Array(count);
  for (let candidate = 2, found = 0; found < count; candidate++) {
    if (!isPrime(candidate)) continue;
    words[found++] = (candidate ** exponent % 1) * 2 ** 32;
  }
  return words;
}

function isPrime(n: number): boolean {
  for (let factor = 2; factor * factor <= n; factor++) if (n % factor === 0) return false;
  return true;
}
