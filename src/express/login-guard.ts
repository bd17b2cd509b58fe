import type { Request, Response } from "express";
import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";
import { checkFunctions, checkOption, checkOptionNames } from "./check-options.js";
import { addressOf, byBody, hashedName, remoteAddress } from "./key-functions.js";
import type { LimitOptions, LimitSource } from "./limit-options.js";
import type { Limiter } from "./limiter.js";
import type { LimitMiddleware } from "./middleware.js";

/** Options of {@link loginGuard}. */
export interface LoginGuardOptions {
  /** The field of the parsed body that names the account, or a function that reads it. @default "username" */
  readonly account?: string | ((req: Request) => string | undefined) | undefined;
  /** Failures from one address, over all accounts: against trying one password on many. @default "50 per hour" */
  readonly perAddress?: LimitSource | undefined;
  /** Failures on one account, from everywhere: against a botnet. @default "20 per hour" */
  readonly perAccount?: LimitSource | undefined;
  /** Failures of one address on one account: against guessing. @default "5 per 15 minutes" */
  readonly perPair?: LimitSource | undefined;
  /**
   * Did this attempt fail? Only failures count. A login that answers a wrong password with a redirect or a page must
   * say it here: `(req) => req.user === undefined`. @default a status from 400 to 499
   */
  readonly hasFailed?: ((req: Request, res: Response) => boolean) | undefined;
  /** Names the counters: guards with the same scope share them. @default "login" */
  readonly scope?: string | undefined;
  /** Options that all three limits get: `onBreach`, `errorMessage`, `block`. */
  readonly limitOptions?: Omit<LimitOptions, "scope" | "keyFunc" | "deductWhen"> | undefined;
}

const OPTION_NAMES: readonly (keyof LoginGuardOptions)[] = [
  "account",
  "perAddress",
  "perAccount",
  "perPair",
  "hasFailed",
  "scope",
  "limitOptions",
];

/** What the guard says of its limits itself, and the options that it does so by. */
const OWN_OPTIONS = { keyFunc: "account", deductWhen: "hasFailed", scope: "scope" };

/**
 * Protects a login form: limits failures per address, per account and per pair of both, in one storage trip.
 *
 * Every attempt is charged before the password is checked, so no number of attempts at once slips through, and
 * given back when it turns out not to have failed. A success forgets the failures of its account and pair, not
 * those of its address: who owns one account could reset that at will.
 *
 * Made of `sharedLimit`, `deductWhen` and `clear`; needs the body to be parsed.
 *
 * @example
 * app.post("/login", express.json(), ...loginGuard(limiter, { account: "email" }), login);
 */
export function loginGuard(limiter: Limiter, options: LoginGuardOptions = {}): LimitMiddleware[] {
  checkGuard(limiter, options);
  const { scope = "login", hasFailed = isClientError, limitOptions = {} } = options;
  const accountOf = accountKey(options.account ?? "username");
  const pairOf = (req: Request) => `${addressOf(req)} ${accountOf(req) ?? ""}`;
  const scopes = { address: `${scope}:address`, account: `${scope}:account`, pair: `${scope}:pair` };
  const forget = async (req: Request) => {
    await limiter.clear(pairOf(req), { scope: scopes.pair });
    await limiter.clear(accountOf(req) ?? addressOf(req), { scope: scopes.account });
  };
  const shared = { ...limitOptions, deductWhen: hasFailed };
  const forgetting = async (req: Request, res: Response) => {
    const counts = hasFailed(req, res);
    if (!counts && res.statusCode < 400) await forget(req);
    return counts;
  };
  return [
    limiter.sharedLimit(options.perAddress ?? "50 per hour", {
      ...shared,
      scope: scopes.address,
      keyFunc: remoteAddress(),
    }),
    limiter.sharedLimit(options.perAccount ?? "20 per hour", {
      ...shared,
      scope: scopes.account,
      keyFunc: accountOf,
    }),
    limiter.sharedLimit(options.perPair ?? "5 per 15 minutes", {
      ...shared,
      scope: scopes.pair,
      keyFunc: pairOf,
      deductWhen: forgetting,
    }),
  ];
}

function checkGuard(limiter: Limiter, options: LoginGuardOptions): void {
  if (typeof limiter?.sharedLimit !== "function") {
    throw new ConfigurationError(`loginGuard takes a limiter first, got ${describe(limiter)}.`);
  }
  const { scope, hasFailed, limitOptions = {} } = options;
  checkOptionNames("loginGuard", options, OPTION_NAMES);
  checkFunctions("loginGuard", { hasFailed }, ["hasFailed"]);
  checkOption("loginGuard", "scope", scope, typeof scope === "string" && scope !== "", "a text");
  for (const [name, own] of Object.entries(OWN_OPTIONS)) {
    if (!Object.hasOwn(limitOptions, name)) continue;
    throw new ConfigurationError(
      `loginGuard: limitOptions cannot have "${name}". Use the option "${own}" instead.`,
    );
  }
}

function accountKey(account: unknown): (req: Request) => string | undefined {
  if (typeof account === "string") return afterBodyParser(byBody(account));
  if (typeof account === "function") {
    return (req) => {
      const name: unknown = account(req);
      return typeof name === "string" ? hashedName("account", name) : undefined;
    };
  }
  throw new ConfigurationError(
    `loginGuard: the option "account" must be a field name or a function, got ${describe(account)}.`,
  );
}

/** Without a parsed body every attempt would count by address only, and nobody would notice. */
function afterBodyParser(
  keyFunc: (req: Request) => string | undefined,
): (req: Request) => string | undefined {
  let hasWarned = false;
  return (req) => {
    if (req.body === undefined && !hasWarned) {
      hasWarned = true;
      process.emitWarning("loginGuard met a request without a parsed body: put express.json() before it.", {
        code: "EXPRESS_LIMITS_NO_BODY",
      });
    }
    return keyFunc(req);
  };
}

function isClientError(_req: Request, res: Response): boolean {
  return res.statusCode >= 400 && res.statusCode < 500;
}
