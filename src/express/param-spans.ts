import type { Layer, LayerMatch } from "./express-internals.js";
import { matchLayer } from "./express-internals.js";

/** A stretch of a path that a parameter took. */
export interface Span {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Fits a part of any ordinary pattern, and is unlikely to be one. */
const PROBE = "zz0probe0zz";

/** A character as it is written in a path: by itself, or the escapes of its UTF-8 bytes. */
const WRITTEN_CHARACTER =
  /%[0-7][\da-f]|%[cd][\da-f]%[\da-f]{2}|%e[\da-f](?:%[\da-f]{2}){2}|%f[\da-f](?:%[\da-f]{2}){3}|[\s\S]/gi;

/** Where the parameters of a mount stand in the prefix that it matched, in order. */
export function paramSpans(layer: Layer, match: LayerMatch, prefix: string): readonly Span[] {
  const spans =
    layer.regexp === undefined
      ? spansByProbing(layer, match, prefix)
      : spansOfGroups(layer.regexp, layer.keys ?? [], prefix);
  let end = 0;
  return spans
    .sort((a, b) => a.start - b.start)
    .filter((span) => {
      const isBehindTheLast = span.start >= end;
      if (isBehindTheLast) end = span.end;
      return isBehindTheLast;
    });
}

/** Express 4 holds its compiled pattern: the groups that matched are the parameters. */
function spansOfGroups(
  regexp: RegExp,
  keys: readonly { readonly name: string | number }[],
  prefix: string,
): Span[] {
  const indices = new RegExp(regexp.source, `${regexp.flags}d`).exec(prefix)?.indices ?? [];
  return keys.flatMap(({ name }, i) => {
    const range = indices[i + 1];
    return range === undefined || range[0] === range[1]
      ? []
      : [{ name: String(name), start: range[0], end: range[1] }];
  });
}

/**
 * Routers 2.x hold no pattern, but the values that parameters took. Where a value stands, a probe is put in
 * its place: the matcher tells whether that was the parameter's place or the same text by chance.
 */
function spansByProbing(layer: Layer, match: LayerMatch, prefix: string): Span[] {
  const written = readWritten(prefix);
  const spans: Span[] = [];
  for (const [name, value] of Object.entries(match.params)) {
    const text = Array.isArray(value) ? value.join("/") : value;
    if (typeof text !== "string" || text === "") continue;
    const span = findSpan(layer, prefix, written, name, text);
    if (span !== undefined) spans.push(span);
  }
  return spans;
}

function findSpan(
  layer: Layer,
  prefix: string,
  { text, places }: Written,
  name: string,
  value: string,
): Span | undefined {
  for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1)) {
    const start = places[at] ?? 0;
    const end = places[at + value.length] ?? prefix.length;
    const probed = matchLayer(layer, prefix.slice(0, start) + PROBE + prefix.slice(end));
    if (isProbe(probed?.params[name])) return { name, start, end };
  }
  return undefined;
}

function isProbe(value: unknown): boolean {
  return value === PROBE || (Array.isArray(value) && value.length === 1 && value[0] === PROBE);
}

/** A path without escapes, and for each of its code units the place where it is written. */
interface Written {
  readonly text: string;
  readonly places: readonly number[];
}

function readWritten(path: string): Written {
  const places: number[] = [];
  let text = "";
  for (const { 0: written, index } of path.matchAll(WRITTEN_CHARACTER)) {
    const character = written.length === 1 ? written : decoded(written);
    for (let i = 0; i < character.length; i++) places.push(index);
    text += character;
  }
  places.push(path.length);
  return { text, places };
}

function decoded(written: string): string {
  try {
    return decodeURIComponent(written);
  } catch {
    return written;
  }
}
