import type { IncomingMessage } from "node:http";
import type { Express, Request, Response } from "express";
import type { Decision, LimitDecision } from "../core/decision.js";
import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";
import type { CheckLimits, LimitsInput } from "../core/limit-text.js";
import type { HitCallOptions, Limits } from "../core/rate-limiter.js";
import { RateLimiter } from "../core/rate-limiter.js";
import { type MaybePromise, whenReady } from "../core/when-ready.js";
import { bindLimit } from "./bound-limit.js";
import { checkOption } from "./check-options.js";
import type { LimiterEventName, LimiterListener } from "./events.js";
import { Events } from "./events.js";
import type { Exempt } from "./exemptions.js";
import { createExempt } from "./exemptions.js";
import type { Client, CounterFilter } from "./inspect.js";
import { claimsOf, peekAt } from "./inspect.js";
import type {
  LimitFunction,
  LimitOptions,
  LimitSource,
  RequestFunction,
  SharedLimitOptions,
} from "./limit-options.js";
import type { LimiterOptions } from "./limiter-options.js";
import type { ListOptions } from "./lists.js";
import { enlist, unlist } from "./lists.js";
import { Marks } from "./marks.js";
import type { LimiterParts, LimitMiddleware, PlacedLimit } from "./middleware.js";
import { checkNow, globalMiddleware, limitMiddleware } from "./middleware.js";
import { Phases } from "./phases.js";
import { publicDecision } from "./refusal.js";
import { existingState } from "./request-states.js";
import type { LongLived, ResolvedLimiter } from "./resolve-options.js";
import { closeResolved, resolveLimiter } from "./resolve-options.js";
import { hasSettings, withSettings } from "./settings.js";

/** What a limit was made from, to bind it again when settings come with the app. */
interface MadeLimit {
  bound: PlacedLimit["bound"];
  readonly source: LimitSource;
  readonly where: string;
}

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
  readonly #options: LimiterOptions;
  readonly #longLived: LongLived = { events: new Events(), marks: new Marks(), filters: [] };
  readonly #middleware: LimitMiddleware;
  readonly #placed: (Omit<PlacedLimit, "bound"> & MadeLimit)[] = [];
  #enabledByHand: boolean | undefined;
  #resolved: ResolvedLimiter;
  readonly #parts: { -readonly [Part in keyof LimiterParts]: LimiterParts[Part] };
  #engine: RateLimiter;
  readonly #exempt: Exempt;

  constructor(options: LimiterOptions = {}) {
    this.#options = options;
    this.#resolved = resolveLimiter(withSettings(options), this.#longLived);
    this.#parts = { core: this.#resolved.core, phases: new Phases(this.#resolved.core) };
    this.#engine = engineOf(this.#resolved);
    this.#exempt = createExempt(this.#parts, this.#longLived.marks);
    this.#middleware = globalMiddleware(this.#parts);
    this.#longLived.marks.setKind(this.#middleware, { kind: "middleware" });
    if (options.app !== undefined) this.init(options.app);
  }

  /** Exempts a route, a router, an app or a handler from limits that come from elsewhere. */
  get exempt(): Exempt {
    this.#longLived.marks.any = true;
    return this.#exempt;
  }

  /** The kill switch: `false` means off for everything, at once. */
  get enabled(): boolean {
    return this.#parts.core.isEnabled;
  }

  set enabled(isEnabled: boolean) {
    checkOption("Limiter", "enabled", isEnabled, typeof isEnabled === "boolean", "true or false");
    this.#enabledByHand = isEnabled;
    this.#parts.core.isEnabled = isEnabled;
  }

  /**
   * Mounts the middleware on an app, for every route that follows, and takes `app.set("RATELIMIT_…")` settings
   * for all options that the constructor left open.
   */
  init(app: Express): void {
    if (hasSettings(app.settings)) this.#takeSettings(app.settings);
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
    this.#longLived.filters.push(filter);
  }

  /**
   * Decides here and now what applies to this request and was not decided yet. Sets headers.
   *
   * Throws `RateLimitExceeded` for a refusal, `ClientDenied` for a client on the deny list.
   */
  async check(req: Request, res: Response): Promise<void> {
    const refused = await checkNow(this.#parts, req, res);
    if (refused !== undefined) throw refused;
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
      .filter(({ role }) => role === "limit")
      .map((claim) => publicDecision(claim, state?.shownAt ?? 0))
      .map((decision) => ({ ...decision, breached: !decision.allowed }));
  }

  /**
   * Charges limits outside HTTP, in jobs and sockets. Shares its counters with `sharedLimit` of the same scope.
   * Never throws for a refusal.
   */
  hit(limits: Limits, key: string, options?: HitCallOptions): MaybePromise<Decision> {
    if (!this.enabled) return this.test(limits, key, options);
    return this.#engine.hit(limits, key, options);
  }

  /** Says what {@link hit} would say, and charges nothing. */
  test(limits: Limits, key: string, options?: HitCallOptions): MaybePromise<Decision> {
    const decision = this.#engine.test(limits, key, options);
    return this.enabled ? decision : whenReady(decision, allowAnyway);
  }

  /**
   * What a client has spent: every counter that holds something. A client is one of its requests, or a text:
   * what the key function returned, or an address in any spelling.
   *
   * Knows the counters that this process has met since its start.
   */
  async peek(client: Client, filter: CounterFilter = {}): Promise<LimitDecision[]> {
    const { core } = this.#parts;
    return peekAt(core, await claimsOf(core, client, filter, "peek()"));
  }

  /** Forgets one client: all counters that {@link peek} would look at, blocks and limits on breaches too. */
  async clear(client: Client, filter: CounterFilter = {}): Promise<void> {
    const { core } = this.#parts;
    await core.guard.clear(await claimsOf(core, client, filter, "clear()"));
  }

  /** Forgets all counters under this limiter's prefix. */
  reset(): MaybePromise<void> {
    return this.#engine.reset();
  }

  /**
   * Never limits a client from now on: an address, a network, or a key as the key function returns it. With
   * `sharedLists` all processes see it.
   */
  async allow(entry: string, options: ListOptions = {}): Promise<void> {
    await enlist(this.#parts.core, "allow", entry, options);
  }

  /** Refuses a client with 403 from now on, before anything is counted. */
  async deny(entry: string, options: ListOptions = {}): Promise<void> {
    await enlist(this.#parts.core, "deny", entry, options);
  }

  /** Takes an entry that {@link allow} or {@link deny} made off its list. */
  async unlist(entry: string): Promise<void> {
    await unlist(this.#parts.core, entry);
  }

  /** Hears an event. What the listener throws changes no answer. */
  on<Name extends LimiterEventName>(name: Name, listener: LimiterListener<Name>): this {
    this.#longLived.events.on(name, listener);
    return this;
  }

  /** Stops hearing an event. */
  off<Name extends LimiterEventName>(name: Name, listener: LimiterListener<Name>): this {
    this.#longLived.events.off(name, listener);
    return this;
  }

  /**
   * Releases timers, and connections that the limiter opened itself, once the decisions under way are made: within
   * `storageTimeout`. With a `storageUri` later requests fail with `StorageError`, and no event tells of it.
   */
  async close(): Promise<void> {
    await closeResolved(this.#resolved);
  }

  #limit(
    kind: "route" | "shared",
    source: LimitSource,
    options: LimitOptions,
    where: string,
  ): LimitMiddleware {
    const bound = bindLimit(kind, source, options, this.#resolved.binding, where);
    const placed = { kind: "limit" as const, bound, ordinal: this.#placed.length + 1, source, where };
    const middleware = limitMiddleware(this.#parts, placed);
    this.#placed.push(placed);
    this.#longLived.marks.set(middleware, placed);
    return middleware;
  }

  /** Everything is made anew with the app's settings; what stands in routes already is bound again. */
  #takeSettings(settings: Readonly<Record<string, unknown>>): void {
    const before = this.#resolved;
    const kept = { ...this.#longLived, lists: before.core.lists };
    this.#resolved = resolveLimiter(withSettings(this.#options, settings), kept);
    void closeResolved(before);
    this.#parts.core = this.#resolved.core;
    this.#parts.core.isEnabled = this.#enabledByHand ?? this.#parts.core.isEnabled;
    this.#parts.phases = new Phases(this.#resolved.core);
    this.#engine = engineOf(this.#resolved);
    for (const placed of this.#placed) {
      const { kind, options } = placed.bound;
      placed.bound = bindLimit(kind, placed.source, options, this.#resolved.binding, placed.where);
    }
    this.#longLived.marks.version++;
  }
}

function engineOf({ core, binding, keyPrefix }: ResolvedLimiter): RateLimiter {
  const storage = core.guard.asStorage();
  return new RateLimiter({ storage, strategy: binding.strategy, clock: core.clock, keyPrefix });
}

/** Off means off: what would have been refused passes. */
function allowAnyway(decision: Decision): Decision {
  const allow = <T extends LimitDecision>(limit: T): T => ({ ...limit, allowed: true, retryAfterMs: 0 });
  return { ...allow(decision), limits: decision.limits.map(allow) };
}
