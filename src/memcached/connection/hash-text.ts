/**
 * A number from 0 to 2^32 - 1, spread evenly, that is the same for a text in every process.
 *
 * FNV-1a over the code units, and the last mixing step of MurmurHash3: the plain sum of short, similar texts
 * leaves the high bits nearly alike. Not for secrets.
 */
export function hashText(text: string, from = 0, to: number = text.length): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The hash of what stands between `{` and `}`, which names a client; of all of a text that has neither. */
export function hashOfTag(key: string): number {
  const open = key.indexOf("{");
  const close = key.indexOf("}", open);
  return open < 0 || close < 0 ? hashText(key) : hashText(key, open + 1, close);
}
