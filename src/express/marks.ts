import type { BoundLimit } from "./bound-limit.js";
import type { App, Handle, Router } from "./express-internals.js";
import { routerOf } from "./express-internals.js";
import { isMountedAt } from "./patterns.js";

/** What an exemption lifts. */
export interface Lifted {
  readonly default: boolean;
  readonly application: boolean;
  readonly meta: boolean;
}

/** Nothing is lifted. */
export const NOTHING_LIFTED: Lifted = { default: false, application: false, meta: false };

/** What a handler in a router's stack means to a limiter. */
export type Mark =
  | { readonly kind: "middleware" }
  | { readonly kind: "limit"; readonly bound: BoundLimit }
  | { readonly kind: "exempt"; readonly lifts: Lifted };

/** Either lifts what the other does not. */
export function liftBoth(a: Lifted, b: Lifted): Lifted {
  if (a === NOTHING_LIFTED) return b;
  return {
    default: a.default || b.default,
    application: a.application || b.application,
    meta: a.meta || b.meta,
  };
}

/** Which handlers, routers and apps one limiter has marked. */
export class Marks {
  readonly #marks = new WeakMap<Handle, Mark>();
  readonly #exemptApps: { readonly app: App; readonly mark: Mark }[] = [];
  /** Grows with every mark that can change what a look-up found. */
  version = 0;
  /** True once a limit or an exemption exists, or may: then requests must be looked up. */
  any = false;

  set(handle: Handle, mark: Mark): void {
    this.#marks.set(handle, mark);
    this.version++;
    if (mark.kind !== "middleware") this.any = true;
  }

  /** Marks a handler that exists in every limiter, used or not: it makes no look-up necessary by itself. */
  setKind(handle: Handle, mark: Mark): void {
    this.#marks.set(handle, mark);
  }

  of(handle: Handle): Mark | undefined {
    return this.#marks.get(handle);
  }

  /** An app hides behind a wrapper where it is mounted; it is found again by its parent and mount path. */
  setApp(app: App, mark: Mark): void {
    this.#exemptApps.push({ app, mark });
    this.version++;
    this.any = true;
  }

  /** The mark of an app that a parent's router holds at a pattern. */
  ofMountedApp(parent: Router, pattern: string): Mark | undefined {
    return this.#exemptApps.find(
      ({ app }) =>
        app.parent !== undefined && routerOf(app.parent) === parent && isMountedAt(app.mountpath, pattern),
    )?.mark;
  }
}
