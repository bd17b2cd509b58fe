import type { Layer, LayerMatch } from "./express-internals.js";
import { matchLayer } from "./express-internals.js";

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

/** Different prefixes that a mount may show before it is taken for a regular expression. */
const MOST_TEMPLATES = 16;

/** What stands for a mount whose pattern cannot be told: one name, so that clients cannot invent more. */
const UNKNOWN_MOUNT = "/(pattern)";

/** Fits a segment of any ordinary pattern, and is unlikely to be one. */
const PROBE = "zz0probe0zz";

/** A mount's prefix in segments: the text of a fixed one (lower case), or the name of a parameter. */
type Template = readonly { readonly fixed: string; readonly param?: string }[];

/**
 * Names mounts by their pattern although most routers do not hold it.
 *
 * A mount at `/tenants/:id` that matched `/tenants/acme` is rebuilt as `/tenants/:id`: each segment is
 * replaced by a probe, and the layer's own matcher tells whether it still matches and which parameter took
 * it. Done once for each layer and shape; fixed segments are lower-cased, since matching ignores case, so a
 * client cannot make new names by spelling.
 */
export class MountPatterns {
  readonly #templates = new WeakMap<Layer, Template[]>();

  /** The pattern of a layer that matched; `""` for a mount at the root. */
  patternOf(layer: Layer, match: LayerMatch): string {
    if (layer.rawPath instanceof RegExp) return `/(${layer.rawPath.source})`;
    const prefix = match.path.endsWith("/") ? match.path.slice(0, -1) : match.path;
    if (prefix === "") return "";
    const segments = prefix.slice(1).split("/");
    const known = this.#templates.get(layer) ?? [];
    const template = known.find((candidate) => fits(candidate, segments));
    if (template !== undefined) return toText(template);
    if (known.length >= MOST_TEMPLATES) return UNKNOWN_MOUNT;
    const learned = learnTemplate(layer, segments);
    this.#templates.set(layer, [...known, learned]);
    return toText(learned);
  }
}

function learnTemplate(layer: Layer, segments: readonly string[]): Template {
  return segments.map((segment, i) => {
    const probed = segments.map((text, j) => (i === j ? PROBE : text));
    const match = matchLayer(layer, `/${probed.join("/")}`);
    const param = Object.entries(match?.params ?? {}).find(([, value]) => holdsProbe(value))?.[0];
    return param === undefined ? { fixed: segment.toLowerCase() } : { fixed: "", param };
  });
}

function holdsProbe(value: unknown): boolean {
  return Array.isArray(value) ? value.includes(PROBE) : typeof value === "string" && value.includes(PROBE);
}

function fits(template: Template, segments: readonly string[]): boolean {
  return (
    template.length === segments.length &&
    template.every((part, i) => part.param !== undefined || part.fixed === segments[i]?.toLowerCase())
  );
}

/** A parameter that takes several segments is named once. */
function toText(template: Template): string {
  return template
    .filter((part, i) => part.param === undefined || part.param !== template[i - 1]?.param)
    .map((part) => `/${part.param === undefined ? part.fixed : `:${part.param}`}`)
    .join("");
}
