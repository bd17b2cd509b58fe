import type { Layer, LayerMatch } from "./express-internals.js";
import { regExpOfMount } from "./express-internals.js";
import { paramSpans, type Span } from "./param-spans.js";

/** The text that names a route's pattern: the string, the regular expression's source, or a list of both. */
export function routePattern(path: unknown): string {
  if (Array.isArray(path)) return path.flat(Number.POSITIVE_INFINITY).map(routePattern).join(",");
  return String(path);
}

const WILDCARD_SOURCES: ReadonlySet<string> = new Set([
  ".*",
  "^.*$",
  "^.*",
  ".*$",
  "\\/.*",
  "^\\/.*",
  "^\\/.*$",
  "(.*)",
  "^(.*)$",
  ".+",
  "(?:)",
]);

/** True for a pattern that matches everything: it stands for "any path", like middleware, not for a route. */
export function isWildcard(path: unknown): boolean {
  if (path instanceof RegExp) return WILDCARD_SOURCES.has(path.source);
  return typeof path === "string" && /^\/?(?:\*|\*\w+|\{\/?\*\w+\}|\(\.\*\))$/.test(path);
}

/** Is an app's mount path, or one of them, known to routers by this pattern? */
export function isMountedAt(mountpath: unknown, pattern: string): boolean {
  if (Array.isArray(mountpath)) return mountpath.some((path) => isMountedAt(path, pattern));
  const path = mountpath instanceof RegExp ? `/(${mountpath.source})` : String(mountpath).replace(/\/+$/, "");
  return (
    path.toLowerCase() === pattern.toLowerCase() || (mountpath instanceof RegExp && pattern === UNKNOWN_MOUNT)
  );
}

/** Shapes that a mount may show: one for each of its alternatives and optional parts. */
const MOST_TEMPLATES = 16;

/** A longer prefix than this names no shape: clients choose it, and taking it apart costs time. */
const LONGEST_TEMPLATE = 512;

/** What stands for a mount whose pattern cannot be told: one name, so that clients cannot invent more. */
const UNKNOWN_MOUNT = "/(pattern)";

/** A shape of a mount: its name, and which prefixes have it. */
interface Template {
  readonly text: string;
  /** How many segments a prefix of this shape has; undefined when a parameter takes any number. */
  readonly segments: number | undefined;
  readonly shape: RegExp;
}

/**
 * Names mounts by their pattern although most routers do not hold it.
 *
 * A mount at `/tenants/:id` that matched `/tenants/acme` is rebuilt as `/tenants/:id`: what its parameters
 * took is replaced by their names. Done once for each layer and shape; fixed parts are lower-cased, since
 * matching ignores case, so a client cannot make new names by spelling.
 */
export class MountPatterns {
  readonly #templates = new WeakMap<Layer, Template[]>();

  /** The pattern of a layer that matched; `""` for a mount at the root. */
  patternOf(layer: Layer, match: LayerMatch): string {
    const { path } = match;
    if (path === "" || path === "/") return "";
    const source = regExpOfMount(layer, match);
    if (source !== false) return source === undefined ? UNKNOWN_MOUNT : `/(${source})`;
    const prefix = path.endsWith("/") ? path.slice(0, -1) : path;
    const known = this.#templates.get(layer) ?? [];
    const template = known.find((candidate) => fits(candidate, prefix));
    if (template !== undefined) return template.text;
    if (known.length >= MOST_TEMPLATES || prefix.length > LONGEST_TEMPLATE) return UNKNOWN_MOUNT;
    const learned = learnTemplate(prefix, paramSpans(layer, match, prefix));
    this.#templates.set(layer, [...known, learned]);
    return learned.text;
  }
}

/** The fixed parts of a prefix stay, in lower case; between them stand the parameters' names. */
function learnTemplate(prefix: string, spans: readonly Span[]): Template {
  let [text, source, end] = ["", "", 0];
  let segments: number | undefined = segmentsOf(prefix);
  for (const span of spans) {
    const fixed = prefix.slice(end, span.start).toLowerCase();
    const takesSegments = prefix.slice(span.start, span.end).includes("/");
    if (takesSegments) segments = undefined;
    text += `${fixed}:${span.name}`;
    source += `${escapeRegExp(fixed)}${takesSegments ? ".+?" : "[^/]+?"}`;
    end = span.end;
  }
  const rest = prefix.slice(end).toLowerCase();
  return { text: text + rest, segments, shape: new RegExp(`^${source}${escapeRegExp(rest)}$`, "i") };
}

/** Segments are counted first: that keeps the expression, which clients choose the text for, linear. */
function fits({ segments, shape }: Template, prefix: string): boolean {
  return (segments === undefined || segments === segmentsOf(prefix)) && shape.test(prefix);
}

function segmentsOf(prefix: string): number {
  return prefix.split("/").length;
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
