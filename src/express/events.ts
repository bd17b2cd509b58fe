import type { Request, Response } from "express";
import type { Decision } from "../core/decision.js";
import { describe } from "../core/describe.js";
import { ConfigurationError, type StorageError } from "../core/errors.js";
import { nearestWord } from "../core/nearest-word.js";
import type { ClientDenied } from "./client-denied.js";
import { nodeModule } from "./node-modules.js";
import type { RateLimitExceeded } from "./rate-limit-exceeded.js";

/** What a limiter tells, by event name. */
export interface LimiterEvents {
  /** A request was refused, or would have been where a limit only observes. */
  readonly breach: {
    readonly req: Request;
    readonly res: Response;
    readonly error: RateLimitExceeded;
    readonly observed: boolean;
  };
  /** A request was refused by a limit on breaches, or by a block. */
  readonly metaBreach: { readonly req: Request; readonly res: Response; readonly error: RateLimitExceeded };
  /** A request passed all limits of a phase. */
  readonly allowed: { readonly req: Request; readonly res: Response; readonly decision: Decision };
  /** A request was refused because its client is on the deny list. */
  readonly denied: { readonly req: Request; readonly res: Response; readonly error: ClientDenied };
  /** The storage failed; told once until it is back. */
  readonly storageError: { readonly error: StorageError };
  /** The storage is back; told once. */
  readonly storageRecovered: Readonly<Record<never, never>>;
  /** A limit function gave text that cannot be read: the default limits apply instead. */
  readonly limitError: { readonly req: Request; readonly error: unknown };
}

/** The names of all events. */
export type LimiterEventName = keyof LimiterEvents;

/** Hears one kind of event. What it throws, or how long it takes, changes no answer. */
export type LimiterListener<Name extends LimiterEventName> = (event: LimiterEvents[Name]) => unknown;

/** Logs what nobody else hears. */
export interface Logger {
  warn(message: string, ...details: unknown[]): void;
  error(message: string, ...details: unknown[]): void;
}

type Listeners = { [Name in LimiterEventName]?: Set<LimiterListener<Name>> };

/** Every event goes out on a `diagnostics_channel` too: `"express-limits.breach"`, and so on. */
function openChannels() {
  const { channel } = nodeModule("node:diagnostics_channel");
  return {
    breach: channel("express-limits.breach"),
    metaBreach: channel("express-limits.metaBreach"),
    allowed: channel("express-limits.allowed"),
    denied: channel("express-limits.denied"),
    storageError: channel("express-limits.storageError"),
    storageRecovered: channel("express-limits.storageRecovered"),
    limitError: channel("express-limits.limitError"),
  } as const satisfies Record<LimiterEventName, unknown>;
}

/** Where listeners are kept and called. */
export class Events {
  readonly #listeners: Listeners = {};
  readonly #channels = openChannels();
  /** Hears of listeners that fail. */
  logger: Logger | undefined;

  /** Throws `ConfigurationError` for an event that there is not, and for what is no function. */
  on<Name extends LimiterEventName>(name: Name, listener: LimiterListener<Name>): void {
    checkListener(Object.keys(this.#channels), name, listener);
    const listeners: Set<LimiterListener<Name>> = this.#listeners[name] ?? new Set();
    listeners.add(listener);
    Object.assign(this.#listeners, { [name]: listeners });
  }

  off<Name extends LimiterEventName>(name: Name, listener: LimiterListener<Name>): void {
    this.#listeners[name]?.delete(listener);
  }

  /** True when somebody would hear it: events that are costly to make are made only then. */
  isHeard(name: LimiterEventName): boolean {
    return (this.#listeners[name]?.size ?? 0) > 0 || this.#channels[name].hasSubscribers;
  }

  emit<Name extends LimiterEventName>(name: Name, event: LimiterEvents[Name]): void {
    if (this.#channels[name].hasSubscribers) this.#channels[name].publish(event);
    const listeners: ReadonlySet<LimiterListener<Name>> | undefined = this.#listeners[name];
    if (listeners === undefined) return;
    // A copy: a listener may take itself off, or put others on.
    for (const listener of [...listeners]) this.#call(name, () => listener(event));
  }

  #call(name: string, listener: () => unknown): void {
    const failed = (error: unknown) => this.#log(`A listener of "${name}" failed.`, error);
    try {
      Promise.resolve(listener()).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** A logger that fails has nobody left to tell. */
  #log(message: string, error: unknown): void {
    try {
      this.logger?.error(message, error);
    } catch {}
  }
}

function checkListener(names: readonly string[], name: string, listener: unknown): void {
  if (!names.includes(name)) {
    const meant = nearestWord(String(name), names);
    const hint = meant === undefined ? ` There are: ${names.join(", ")}.` : ` Did you mean "${meant}"?`;
    throw new ConfigurationError(`on(): there is no event ${describe(name)}.${hint}`);
  }
  if (typeof listener === "function") return;
  throw new ConfigurationError(`on(): a listener is a function, got ${describe(listener)}.`);
}
