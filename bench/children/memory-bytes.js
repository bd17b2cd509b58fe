// Bytes per live key. Run with --expose-gc.
//   node --expose-gc children/memory-bytes.js <engine> <keys>
import { answer } from "../lib/children.js";
import { engineOf } from "../lib/engines.js";
import { addresses } from "../lib/keys.js";
import { AMOUNT, HOUR_MS } from "../lib/limits.js";
import { names } from "../lib/options.js";

const engine = engineOf(names[0]);
const count = Number(names[1]);
const sized = { windowMs: HOUR_MS, amount: AMOUNT, maxKeys: count };

async function usedBytes() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await new Promise(setImmediate);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

// Code and shapes that are made on first use must not count as keys.
const rehearsal = await engine.make({ ...sized, maxKeys: 1000 });
for (let i = 0; i < 1000; i++) await rehearsal(`rehearsal-${i}`);

const empty = await usedBytes();
// Global, since the compiler may drop a local after its last use.
globalThis.keys = addresses(count);
const withKeys = await usedBytes();
globalThis.hit = await engine.make(sized);
for (const key of globalThis.keys) await globalThis.hit(key);
const full = await usedBytes();
globalThis.keys = undefined;
const alone = await usedBytes();
answer({ beside: (full - withKeys) / count, alone: (alone - empty) / count });
