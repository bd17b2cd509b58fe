import type { IncomingMessage } from "node:http";
import type { Express, Request, Response } from "express";
import type { Decision, LimitDecision } from "../core/decision.js";
import { ConfigurationError } from "../core/errors.js";
import type { CheckLimits, LimitsInput } from "../core/limit-text.js";
import type { HitCallOptions, Limits } from "../core/rate-limiter.js";
import { RateLimiter } from "../core/rate-limiter.js";
import type { MaybePromise } from "../core/when-ready.js";
import type { BindingDefaults } from "./bound-limit.js";
import { bindLimit } from "./bound-limit.js";
import { describe } from "./check-options.js";
import type { LimiterEventName, LimiterListener } from "./events.js";
import type { Exempt } from "./exemptions.js";
import { createExempt } from "./exemptions.js";
import type {
  LimitFunction,
  LimitOptions,
  LimitSource,
  RequestFunction,
  SharedLimitOptions,
} from "./limit-options.js";
import type { LimiterOptions } from "./limiter-options.js";
import type { LimiterParts, LimitMiddleware } from "./middleware.js";
import { checkNow, globalMiddleware, limitMiddleware } from "./middleware.js";
import { Phases } from "./phases.js";
import { publicDecision } from "./refusal.js";
import { writeRefusalHeaders } from "./rejection.js";
import { existingState, stateOf } from "./request-state.js";
import { resolveLimiter } from "./resolve-options.js";
import { storageFromUri } from "./storage-from-uri.js";

/** What was decided about one limit of a request. */
export interface CurrentLimit extends LimitDecision {
  /** The limit refused, or would have if it did more than observe. */
  readonly breached: boolean;
}

/**
 * Limits how often clients may call an Express app.
 *
 * @example
 * const limiter = new Limiter({ defaultLimits: ["200 per day", "50 per hour"] });
 * app.use(limiter.middleware());
 * app.post("/login", limiter.limit("5 per minute"), login);
 * app.get("/health", limiter.exempt, health);
 */
export class Limiter {
  readonly #parts: LimiterParts;
  readonly #binding: BindingDefaults;
  readonly #ownsStorage: boolean;
  readonly #engine: RateLimiter;
  readonly #middleware: LimitMiddleware;
  #limitsMade = 0;

  /** Exempts a route, a router or a handler from limits that come from elsewhere. */
  readonly exempt: Exempt;

  constructor(options: LimiterOptions = {}) {
    const { core, binding, ownsStorage } = resolveLimiter(options, (uri) =>
      storageFromUri(uri, options.storageOptions),
    );
    this.#parts = { core, phases: new Phases(core) };
    this.#binding = binding;
    this.#ownsStorage = ownsStorage;
    this.#engine = new RateLimiter({
      storage: core.guard.asStorage(),
      strategy: binding.strategy,
      clock: core.clock,
      keyPrefix: options.keyPrefix,
    });
    this.exempt = createExempt(core);
    this.#middleware = globalMiddleware(this.#parts);
    core.marks.setKind(this.#middleware, { kind: "middleware" });
    if (options.app !== undefined) this.init(options.app);
  }

  /** The kill switch: `false` means off for everything, at once. */
  get enabled(): boolean {
    return this.#parts.core.isEnabled;
  }

  set enabled(isEnabled: boolean) {
    this.#parts.core.isEnabled = isEnabled;
  }

  /** Mounts the middleware on an app: for every route that follows. */
  init(app: Express): void {
    app.use(this.#middleware);
  }

  /** Meta, application and default limits, for `app.use` or `router.use`. Mounting it twice counts once. */
  middleware(): LimitMiddleware {
    return this.#middleware;
  }

  /**
   * A middleware that limits a route, a router or a path. Replaces the default limits there.
   *
   * Limits that follow each other on a route are decided together: all are charged or none.
   *
   * @example
   * app.get("/search", limiter.limit("10/minute; 100/day", { cost: 2 }), search);
   */
  limit<const Source extends LimitsInput | LimitFunction>(
    limits: Source & CheckLimits<Source>,
    options: LimitOptions = {},
  ): LimitMiddleware {
    return this.#limit("route", limits, options, "limit()");
  }

  /**
   * A middleware with one counter for all places that use its scope.
   *
   * @example
   * const mail = limiter.sharedLimit("100/hour", { scope: "mail" });
   * app.post("/invite", mail, invite);
   * app.post("/remind", mail, remind);
   */
  sharedLimit<const Source extends LimitsInput | LimitFunction>(
    limits: Source & CheckLimits<Source>,
    options: SharedLimitOptions,
  ): LimitMiddleware {
    const scope: string | RequestFunction<string> | undefined = options?.scope;
    if (typeof scope !== "function" && (typeof scope !== "string" || scope === "")) {
      throw new ConfigurationError(
        `sharedLimit(): the option "scope" must be a text or a function, got ${describe(scope)}.`,
      );
    }
    return this.#limit("shared", limits, options, "sharedLimit()");
  }

  /** Skips all limits of a request, meta limits too, when the function returns true. */
  requestFilter(filter: RequestFunction<boolean>): void {
    if (typeof filter !== "function") {
      throw new ConfigurationError(`requestFilter() takes a function, got ${describe(filter)}.`);
    }
    this.#parts.core.filters.push(filter);
  }

  /**
   * Decides here and now what applies to this request and was not decided yet. Sets headers.
   *
   * Throws `RateLimitExceeded` for a refusal.
   */
  async check(req: Request, res: Response): Promise<void> {
    const { core } = this.#parts;
    const refused = await checkNow(this.#parts, req, res);
    if (refused === undefined) return;
    writeRefusalHeaders({ core, req, res, state: stateOf(core, req), refused });
    throw refused.error;
  }

  /** What was decided about the limit that headers show; `undefined` when nothing limited the request. */
  currentLimit(req: IncomingMessage): CurrentLimit | undefined {
    const state = existingState(this.#parts.core, req);
    if (state?.shown === undefined) return undefined;
    const decision = publicDecision(state.shown, state.shownAt);
    return { ...decision, breached: !decision.allowed };
  }

  /** What was decided about every limit of this request so far, in order. */
  currentLimits(req: IncomingMessage): CurrentLimit[] {
    const state = existingState(this.#parts.core, req);
    return (state?.decided ?? [])
      .filter(({ claim }) => claim.role === "limit")
      .map((entry) => publicDecision(entry, state?.shownAt ?? 0))
      .map((decision) => ({ ...decision, breached: !decision.allowed }));
  }

  /**
   * Charges limits outside HTTP, in jobs and sockets. Shares its counters with `sharedLimit` of the same scope.
   * Never throws for a refusal.
   */
  hit(limits: Limits, key: string, options?: HitCallOptions): MaybePromise<Decision> {
    return this.#engine.hit(limits, key, options);
  }

  /** Says what {@link hit} would say, and charges nothing. */
  test(limits: Limits, key: string, options?: HitCallOptions): MaybePromise<Decision> {
    return this.#engine.test(limits, key, options);
  }

  /** Forgets all counters under this limiter's prefix. */
  reset(): MaybePromise<void> {
    return this.#engine.reset();
  }

  /** Hears an event. What the listener throws changes no answer. */
  on<Name extends LimiterEventName>(name: Name, listener: LimiterListener<Name>): this {
    this.#parts.core.events.on(name, listener);
    return this;
  }

  /** Stops hearing an event. */
  off<Name extends LimiterEventName>(name: Name, listener: LimiterListener<Name>): this {
    this.#parts.core.events.off(name, listener);
    return this;
  }

  /** Releases timers, and connections that the limiter opened itself. */
  async close(): Promise<void> {
    this.#parts.core.guard.close();
    if (this.#ownsStorage) await this.#parts.core.storage.close?.();
  }

  #limit(
    kind: "route" | "shared",
    source: LimitSource,
    options: LimitOptions,
    where: string,
  ): LimitMiddleware {
    const bound = bindLimit(kind, source, options, this.#binding, where);
    const middleware = limitMiddleware(this.#parts, bound, ++this.#limitsMade);
    this.#parts.core.marks.set(middleware, { kind: "limit", bound });
    return middleware;
  }
}
