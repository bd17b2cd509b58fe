import type { IncomingMessage } from "node:http";
import type { Logger } from "./events.js";
import { appOf, type ExpressRequest, propertyOf } from "./express-internals.js";

/** Requests that are looked at before only one in {@link LATER_EVERY} is. */
const FIRST_LOOKED_AT = 100;
const LATER_EVERY = 256;

/**
 * Warns once when requests come through a proxy that Express was not told of: all clients behind it would share
 * one counter. Looks at the first requests and then at few, since reading headers costs.
 */
export class ProxyWarning {
  readonly #logger: Logger | undefined;
  #seen = 0;
  #isSilent = false;

  constructor(logger: Logger | undefined) {
    this.#logger = logger;
  }

  lookAt(req: IncomingMessage): void {
    if (this.#isSilent) return;
    this.#seen++;
    if (this.#seen > FIRST_LOOKED_AT && this.#seen % LATER_EVERY !== 0) return;
    if (!isForwardedUnasked(req)) return;
    this.#isSilent = true;
    const message =
      'A request has a forwarding header, but "trust proxy" is off: clients are counted by the address of the proxy. ' +
      'If a proxy stands in front, say app.set("trust proxy", …); see docs/recipes.md.';
    if (this.#logger === undefined) process.emitWarning(message, { code: "EXPRESS_LIMITS_TRUST_PROXY" });
    else this.#logger.warn(message);
  }
}

function isForwardedUnasked(req: ExpressRequest): boolean {
  const headers = propertyOf(req, "headers");
  if (headers["x-forwarded-for"] === undefined && headers["forwarded"] === undefined) return false;
  const app = appOf(req);
  return app !== undefined && (app.settings["trust proxy"] ?? false) === false;
}
