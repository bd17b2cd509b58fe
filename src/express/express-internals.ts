/**
 * The seam to Express's router, which has no types for what is read here. Three shapes of `Layer.match` exist:
 * Express 4 and router 2.0 to 2.2 answer `true` and keep the match on the layer, router 2.3 returns it.
 */
import type { IncomingMessage } from "node:http";
import { nodeModule } from "./node-modules.js";

/** Anything that can stand in a router's stack. */
// biome-ignore lint/complexity/noBannedTypes: handlers are compared and looked up, never called
export type Handle = Function;

/** A layer of a router's or a route's stack. */
export interface Layer {
  readonly handle: Handle;
  readonly name: string;
  readonly route?: Route | undefined;
  /** In a route's stack: the lower-case method, or undefined for all. */
  readonly method?: string | undefined;
  /** Router 2.3: the pattern as it was given. */
  readonly rawPath?: unknown;
  /** Express 4: the compiled pattern, and what its groups are called. */
  readonly regexp?: RegExp;
  readonly keys?: readonly { readonly name: string | number }[];
  /** Router 2: a function for each pattern. */
  readonly matchers?: readonly Handle[];
  match(path: string): unknown;
}

/** A route: a pattern with its handlers. */
export interface Route {
  readonly path: unknown;
  readonly stack: readonly Layer[];
  readonly methods: Readonly<Record<string, boolean>>;
}

/** A router, or the part of an app that is one. */
export interface Router {
  readonly stack: readonly Layer[];
}

/** An Express app as far as it is read here. */
export interface App {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly parent?: App;
  readonly mountpath?: unknown;
}

/** What an Express request has, where all may be missing: the limiter may stand in front of plain `http`. */
export interface ExpressRequest extends IncomingMessage {
  readonly app?: App | undefined;
  readonly baseUrl?: string | undefined;
  readonly originalUrl?: string | undefined;
  readonly route?: Route | undefined;
  readonly ip?: string | undefined;
}

/**
 * A property of a request or a response. As plain accesses such reads take five to ten times as long: Express changed
 * the prototypes, and V8 keeps no shape for such objects. Measured: 250 ns become 20.
 */
export function propertyOf<T extends object, Name extends keyof T>(object: T, name: Name): T[Name] {
  return Reflect.get(object, name);
}

/**
 * The app that handles a request. Read from the prototype that Express gave the request, where it stands: through
 * the request itself the same read is ten times as slow, since its shape has changed.
 */
export function appOf(req: ExpressRequest): App | undefined {
  const prototype: { readonly app?: App } | null = Object.getPrototypeOf(req);
  return prototype?.app ?? req.app;
}

/** How a layer matched a path. */
export interface LayerMatch {
  /** The part of the path that a mount consumed. */
  readonly path: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** Router 2.3: the pattern that matched, of a list. */
  readonly pattern?: unknown;
}

/** Asks a layer by its own matcher. One that fails (a malformed escape) matches nothing. */
export function matchLayer(layer: Layer, path: string): LayerMatch | undefined {
  try {
    const match = layer.match(path);
    if (match === true) return layer as unknown as LayerMatch;
    return typeof match === "object" && match !== null ? (match as LayerMatch) : undefined;
  } catch {
    return undefined;
  }
}

/** How Express 4 ends a pattern that it compiled from the text of a mount. */
const COMPILED_END = "(?=\\/|$)";

/** The source of the regular expression that a layer is mounted at: `undefined` when hidden, `false` for none. */
export function regExpOfMount(layer: Layer, match: LayerMatch): string | undefined | false {
  const pattern = match.pattern ?? layer.rawPath;
  if (pattern instanceof RegExp) return pattern.source;
  const { regexp, matchers } = layer;
  if (regexp !== undefined) return regexp.source.endsWith(COMPILED_END) ? false : regexp.source;
  const isHidden = layer.rawPath === undefined && matchers?.some(({ name }) => name === "regexpMatcher");
  return isHidden === true ? undefined : false;
}

/** The router that a mounted handle is or holds; `undefined` for a plain handler. */
export function routerOf(handle: Handle | App): Router | undefined {
  if (hasStack(handle)) return handle;
  const app = handle as { _router?: unknown; router?: unknown; settings?: unknown };
  if (app.settings === undefined) return undefined;
  if (hasStack(app._router)) return app._router;
  try {
    // Express 4 throws here: its app without any route has no router yet.
    return hasStack(app.router) ? app.router : undefined;
  } catch {
    return undefined;
  }
}

/** Does the route answer this method? HEAD is answered by GET. */
export function handlesMethod(route: Route, method: string): boolean {
  const { methods } = route;
  if (methods["_all"] === true) return true;
  const name = method.toLowerCase();
  return methods[name] === true || (name === "head" && methods["get"] === true);
}

/** The method under which a route's handlers run for a request: HEAD runs those of GET. */
export function dispatchedMethod(route: Route, method: string): string {
  const name = method.toLowerCase();
  return name === "head" && route.methods["head"] !== true ? "get" : name;
}

/** Nobody writes a handler under so many methods by hand: it was `app.all`, which declares it under each. */
const METHODS_OF_ALL = 20;

/** The method under which a handler that runs for a request was declared; `"ALL"` for all, `undefined` for nowhere. */
export function declaredMethod(route: Route, handle: Handle, method: string): string | undefined {
  const dispatched = dispatchedMethod(route, method);
  const own = route.stack.filter((layer) => layer.handle === handle);
  const layer = own.find((candidate) => candidate.method === undefined || candidate.method === dispatched);
  if (layer === undefined) return undefined;
  return layer.method === undefined || own.length >= METHODS_OF_ALL ? "ALL" : layer.method.toUpperCase();
}

/** A request whose URL Express has parsed. */
interface ParsedRequest extends IncomingMessage {
  readonly _parsedUrl?: { readonly _raw?: string; readonly pathname?: string | null };
}

/** The path of a request, without query, as the router that runs now sees it. */
export function pathnameOf(req: IncomingMessage): string {
  const url = propertyOf(req, "url") ?? "/";
  const parsed = propertyOf(req as ParsedRequest, "_parsedUrl");
  if (parsed?._raw === url && typeof parsed.pathname === "string") return parsed.pathname;
  return plainPathname(url) ?? nodeModule("node:url").parse(url).pathname ?? "/";
}

/** Characters that make Express parse a URL in full: a fragment, blanks, and what is trimmed at the ends. */
const UNUSUAL = new Set([0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x23, 0xa0, 0xfeff]);

/**
 * The usual case without a parser, `undefined` for any other. Express decides by the same characters, and a path
 * read otherwise would let a client choose which limits apply.
 */
function plainPathname(url: string): string | undefined {
  if (url.charCodeAt(0) !== 0x2f) return undefined;
  let end = -1;
  for (let i = 1; i < url.length; i++) {
    const code = url.charCodeAt(i);
    if (UNUSUAL.has(code)) return undefined;
    if (code === 0x3f && end < 0) end = i;
  }
  return end < 0 ? url : url.slice(0, end);
}

function hasStack(value: unknown): value is Router {
  return (
    (typeof value === "function" || typeof value === "object") &&
    value !== null &&
    Array.isArray((value as { stack?: unknown }).stack)
  );
}
