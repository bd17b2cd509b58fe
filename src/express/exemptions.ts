import type { IncomingMessage, ServerResponse } from "node:http";
import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";
import { checkBooleans, checkOptionNames } from "./check-options.js";
import type { App, Handle } from "./express-internals.js";
import type { LimiterCore } from "./limiter-core.js";
import { type Lifted, liftBoth, type Marks } from "./marks.js";
import { stateOf } from "./request-states.js";

/** What an exemption lifts; everything that comes from elsewhere unless said otherwise. */
export interface ExemptOptions {
  /** Default limits. @default true */
  readonly default?: boolean | undefined;
  /** Application limits. @default true */
  readonly application?: boolean | undefined;
  /** Limits on breaches, and blocks by them. @default true */
  readonly meta?: boolean | undefined;
}

type Next = (error?: unknown) => void;

/**
 * Exempts a route, a router and all below it, an app, or a handler from limits that come from elsewhere. A limit
 * that stands on a route itself holds all the same.
 *
 * @example
 * app.get("/ping", limiter.exempt, (req, res) => res.send("PONG"));
 * app.use("/assets", limiter.exempt({ application: false }), express.static("public"));
 * app.use("/internal", limiter.exempt(internalRouter));
 */
export interface Exempt {
  /** As it stands it is a middleware. */
  (req: IncomingMessage, res: ServerResponse, next: Next): void;
  /** Marks a router, an app or a handler, and returns it. */
  <Target extends Handle>(target: Target, options?: ExemptOptions): Target;
  /** A middleware that lifts only a part. */
  (options: ExemptOptions): (req: IncomingMessage, res: ServerResponse, next: Next) => void;
}

/** The `exempt` of one limiter. */
export function createExempt(parts: { readonly core: LimiterCore }, marks: Marks): Exempt {
  const exempt = (first: unknown, second?: unknown, next?: unknown): unknown => {
    if (typeof first === "function") return markExempt(marks, first, liftsOf(second));
    if (typeof next === "function") return lift(parts.core, first, next, liftsOf());
    return exemptMiddleware(parts, marks, liftsOf(first));
  };
  marks.setKind(exempt, { kind: "exempt", lifts: liftsOf() });
  return exempt as Exempt;
}

function exemptMiddleware(parts: { readonly core: LimiterCore }, marks: Marks, lifts: Lifted): Handle {
  const middleware = (req: unknown, _res: unknown, next: unknown): void => lift(parts.core, req, next, lifts);
  marks.set(middleware, { kind: "exempt", lifts });
  return middleware;
}

/** Where it runs before the limiter's own middleware the exemption is noted on the request. */
function lift(core: LimiterCore, req: unknown, next: unknown, lifts: Lifted): void {
  const state = stateOf(core, req as IncomingMessage);
  state.lifted = liftBoth(state.lifted, lifts);
  (next as Next)();
}

function markExempt(marks: Marks, target: Handle, lifts: Lifted): Handle {
  marks.set(target, { kind: "exempt", lifts });
  const app = target as Handle & Partial<App>;
  if (app.settings !== undefined) marks.setApp(app as App, { kind: "exempt", lifts });
  return target;
}

function liftsOf(options: unknown = {}): Lifted {
  if (typeof options !== "object" || options === null) {
    throw new ConfigurationError(
      `exempt takes a router, an app, a handler or { default, application, meta }, got ${describe(options)}.`,
    );
  }
  const lifts: ExemptOptions = options;
  checkOptionNames("exempt", lifts, ["default", "application", "meta"]);
  checkBooleans("exempt", lifts, ["default", "application", "meta"]);
  return { default: lifts.default ?? true, application: lifts.application ?? true, meta: lifts.meta ?? true };
}
