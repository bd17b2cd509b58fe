// Middleware that does the same work: one limit or three, by address, in memory, with the same headers.
import { rateLimit } from "express-rate-limit";
import flexible from "rate-limiter-flexible";
import { headerWriter } from "./header-writers.js";
import { AMOUNT, limitText, windowsOf } from "./limits.js";

const REFUSAL = "Too many requests, please try again later.";

const ipOf = (req) => req.ip;
const socketAddressOf = (req) => req.socket.remoteAddress;

/**
 * The floor: a counter as one writes it by hand, and nothing else. One Map, one object for each key, no
 * promise, no timer. With several limits it counts in several Maps and sets headers once.
 */
function handWritten({ limits, headers }, keyOf) {
  const counters = windowsOf(limits).map(({ windowMs }) => ({ windowMs, entries: new Map() }));
  const write = headerWriter(headers, windowsOf(limits)[0]);
  return (req, res, next) => {
    const now = Date.now();
    const key = keyOf(req);
    let shown;
    for (const { windowMs, entries } of counters) {
      let entry = entries.get(key);
      if (entry === undefined) {
        entry = { count: 0, resetAt: now + windowMs };
        entries.set(key, entry);
      } else if (entry.resetAt <= now) {
        entry.count = 0;
        entry.resetAt = now + windowMs;
      }
      entry.count++;
      shown ??= entry;
      if (entry.count > AMOUNT) return refuse(res, entry.resetAt - now);
    }
    write(res, AMOUNT - shown.count, shown.resetAt - now);
    next();
  };
}

function refuse(res, leftMs) {
  res.setHeader("Retry-After", String(Math.ceil(leftMs / 1000)));
  res.status(429).send(REFUSAL);
}

/** The floor with the address that a socket tells, which is all there is when no proxy is trusted. */
export const floor = (work) => handWritten(work, socketAddressOf);

/** The floor with `req.ip`, as most people write it: Express computes it anew for every request. */
export const floorWithIp = (work) => handWritten(work, ipOf);

/** express-rate-limit; several limits are several of them, one behind the other. */
export const expressRateLimit = ({ limits, headers }) =>
  chain(
    windowsOf(limits).map(({ windowMs }) =>
      rateLimit({
        limit: AMOUNT,
        windowMs,
        legacyHeaders: headers === "legacy",
        standardHeaders: headers === "ietf" ? "draft-8" : false,
      }),
    ),
  );

/** rate-limiter-flexible behind a minimal middleware, as its documentation shows it. */
export const rateLimiterFlexible = ({ limits, headers }) =>
  chain(
    windowsOf(limits).map((window) => {
      const limiter = new flexible.RateLimiterMemory({ points: AMOUNT, duration: window.windowMs / 1000 });
      const write = headerWriter(headers, window);
      return (req, res, next) => {
        limiter.consume(req.ip).then(
          ({ remainingPoints, msBeforeNext }) => {
            write(res, remainingPoints, msBeforeNext);
            next();
          },
          ({ msBeforeNext }) => refuse(res, msBeforeNext),
        );
      };
    }),
  );

/** The headers as options of our limiter. */
export const headerOptions = (headers) => ({
  headersEnabled: headers === "legacy",
  standardHeaders: headers === "ietf" ? "ietf" : false,
});

/** Ours over all routes together: what the others do, too. */
export const applicationLimit = ({ Limiter }, { limits, headers }) =>
  new Limiter({ applicationLimits: limitText(limits), ...headerOptions(headers) }).middleware();

/** Ours with a counter for each route, which it finds by looking ahead. */
export const defaultLimit = ({ Limiter }, { limits, headers }) =>
  new Limiter({ defaultLimits: limitText(limits), ...headerOptions(headers) }).middleware();

/** Ours on one route. */
export const routeLimit = ({ Limiter }, { limits, headers }) =>
  new Limiter(headerOptions(headers)).limit(limitText(limits));

/** Calls middlewares one behind the other, as a router does. */
function chain(handlers) {
  if (handlers.length === 1) return handlers[0];
  return (req, res, next) => {
    let at = 0;
    const step = (error) => {
      const handler = handlers[at++];
      if (error !== undefined || handler === undefined) next(error);
      else handler(req, res, step);
    };
    step();
  };
}
