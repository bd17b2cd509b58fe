import type { Request } from "express";
import type { Clock } from "../core/clock.js";
import type { Storage } from "../core/storage.js";
import type { BoundLimit } from "./bound-limit.js";
import type { Lists } from "./client-list.js";
import type { Events, Logger } from "./events.js";
import type { HeaderSettings } from "./headers.js";
import type { KeyFunction } from "./key-functions.js";
import type { LastAddress } from "./last-address.js";
import type { BreachHandler, ErrorMessage, RequestFunction } from "./limit-options.js";
import type { LookupCache } from "./lookup-cache.js";
import type { Marks } from "./marks.js";
import type { ProxyWarning } from "./proxy-warning.js";
import type { SeenCounters } from "./seen-counters.js";
import type { StorageGuard } from "./storage-guard.js";

/** What the steps of a request share: one limiter's settings and parts, all made at construction. */
export interface LimiterCore {
  isEnabled: boolean;
  readonly proxyWarning: ProxyWarning;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
  readonly storage: Storage;
  readonly guard: StorageGuard;
  /** Start of every stored key: prefix and opening brace. */
  readonly keyHead: string;
  readonly events: Events;
  readonly headers: HeaderSettings;
  readonly marks: Marks;
  readonly lookups: LookupCache;
  readonly application: readonly BoundLimit[];
  readonly defaults: readonly BoundLimit[];
  readonly meta: readonly BoundLimit[];
  /** Replace all limits while the storage is lost; empty when the original ones are counted in memory. */
  readonly fallback: readonly BoundLimit[];
  readonly lists: Lists;
  readonly keyFunc: KeyFunction;
  readonly lastAddress: LastAddress;
  readonly filters: RequestFunction<boolean>[];
  readonly limitsUnmatched: boolean;
  readonly failsOnFirstBreach: boolean;
  readonly swallowsErrors: boolean;
  readonly passesBreachToNext: boolean;
  readonly onBreach: BreachHandler | undefined;
  readonly onMetaBreach: BreachHandler | undefined;
  readonly errorMessage: ErrorMessage | undefined;
  /** Counters that were charged or looked at since the start: what `peek` and `clear` know of. */
  readonly seen: SeenCounters;
  readonly requestIdentifier: ((req: Request, pattern: string | undefined) => string) | undefined;
}
