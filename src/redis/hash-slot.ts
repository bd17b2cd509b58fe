const SLOTS = 16_384;

/**
 * What of a key decides where a Redis Cluster puts it: the text in its first pair of braces, else all of it.
 *
 * Source: Redis Cluster specification, "Hash tags".
 */
export function hashTag(key: string): string {
  const open = key.indexOf("{");
  const close = open < 0 ? -1 : key.indexOf("}", open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}

/**
 * The slot of a hash tag, from 0 to 16383.
 *
 * Source: Redis Cluster specification, appendix A: CRC-16/XMODEM.
 */
export function hashSlot(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff;
    }
  }
  return crc % SLOTS;
}
