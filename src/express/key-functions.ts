import type { Request, Response } from "express";
import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";
import type { MaybePromise } from "../core/when-ready.js";
import { canonicalAddress, DEFAULT_IPV6_SUBNET } from "./address.js";
import { checkOptionNames, isHeaderName } from "./check-options.js";
import { appOf, type ExpressRequest, propertyOf } from "./express-internals.js";
import { nodeModule } from "./node-modules.js";

/**
 * Who is counted. `undefined`, `null` and `""` mean "unknown": the address is counted instead. Numbers and
 * bigints are taken as text, anything else that is not text is an error.
 */
export type KeyFunction = {
  bivariant(req: Request, res: Response): MaybePromise<string | number | bigint | null | undefined>;
}["bivariant"];

/** Key functions that return addresses, and the prefix length by which they group IPv6. */
const ADDRESS_FUNCTIONS = new WeakMap<KeyFunction, number>();

/** Says that a key function returns addresses, which are counted apart from clients' own keys. */
export function returnsAddresses(keyFunc: KeyFunction): boolean {
  return ADDRESS_FUNCTIONS.has(keyFunc);
}

/** The prefix length by which IPv6 addresses are counted together where this key function says who is counted. */
export function ipv6SubnetOf(keyFunc: KeyFunction): number {
  return ADDRESS_FUNCTIONS.get(keyFunc) ?? DEFAULT_IPV6_SUBNET;
}

/** Options of {@link remoteAddress}. */
export interface RemoteAddressOptions {
  /** Prefix length by which IPv6 addresses are counted together: 1 to 128. @default 56 */
  readonly ipv6Subnet?: number | undefined;
}

/**
 * Counts by the client's address: `req.ip`, so Express's `trust proxy` setting decides whom to believe.
 *
 * IPv4-mapped IPv6 counts as IPv4; IPv6 addresses are counted by network, /56 unless said otherwise. Headers
 * are never read here.
 *
 * @example
 * new Limiter({ keyFunc: remoteAddress({ ipv6Subnet: 64 }) });
 */
export function remoteAddress(options: RemoteAddressOptions = {}): (req: Request) => string {
  checkOptionNames("remoteAddress", options, ["ipv6Subnet"]);
  const { ipv6Subnet = DEFAULT_IPV6_SUBNET } = options;
  if (!Number.isInteger(ipv6Subnet) || ipv6Subnet < 1 || ipv6Subnet > 128) {
    throw new ConfigurationError(
      `ipv6Subnet must be a whole number from 1 to 128, got ${describe(ipv6Subnet)}.`,
    );
  }
  const keyFunc = (req: Request): string => addressOf(req, ipv6Subnet);
  ADDRESS_FUNCTIONS.set(keyFunc, ipv6Subnet);
  return keyFunc;
}

/**
 * Counts by a request header, an API key for instance: whoever sends none is counted by address.
 *
 * The header must be one that something in front verified; a client that may invent keys has no limit.
 *
 * @example
 * limiter.limit("1000/hour", { keyFunc: byHeader("x-api-key") });
 */
export function byHeader(name: string): (req: Request) => string | undefined {
  const header = checkName("byHeader", name).toLowerCase();
  if (!isHeaderName(header)) {
    throw new ConfigurationError(`byHeader takes the name of a header, got ${describe(name)}.`);
  }
  return (req) => {
    const value = req.headers[header];
    return Array.isArray(value) ? value.join(", ") : value;
  };
}

/**
 * Counts by a field of the parsed body, a user name for instance: trimmed, lower case, NFKC and hashed, so
 * spellings of one name count together and no name is stored. Anything but text and numbers counts by
 * address.
 *
 * @example
 * app.post("/login", limiter.limit("5/minute", { keyFunc: byBody("username") }), login);
 */
export function byBody(field: string): (req: Request) => string | undefined {
  checkName("byBody", field);
  return (req) => {
    const body: unknown = req.body;
    if (typeof body !== "object" || body === null || !Object.hasOwn(body, field)) return undefined;
    const value: unknown = Reflect.get(body, field);
    return typeof value === "string" || typeof value === "number"
      ? hashedName(field, String(value))
      : undefined;
  };
}

/**
 * Counts by whoever is signed in: `req.user.id` (or `sub`), or what the given function returns. Must run
 * after authentication; strangers are counted by address.
 *
 * @example
 * app.get("/report", authenticate, limiter.limit("10/hour", { keyFunc: byUser() }), report);
 */
export function byUser(
  userId: (req: Request) => string | number | null | undefined = signedInUser,
): (req: Request) => string | number | undefined {
  if (typeof userId !== "function") {
    throw new ConfigurationError(
      `byUser takes a function such as (req) => req.user.id, got ${describe(userId)}.`,
    );
  }
  return (req) => userId(req) ?? undefined;
}

/** The canonical address of a request, grouped; `"unknown"` for what is none. */
export function addressOf(req: ExpressRequest, ipv6Subnet: number = DEFAULT_IPV6_SUBNET): string {
  if (trustsProxy(req)) return canonicalAddress(req.ip ?? "", ipv6Subnet) ?? "unknown";
  const address = socketAddressOf(req);
  if (address === undefined) return "unknown";
  // The socket's own IPv4 address is in canonical form.
  return address.includes(":") ? (canonicalAddress(address, ipv6Subnet) ?? "unknown") : address;
}

/** `req.ip`, or the socket's address when no proxy is trusted, which `req.ip` would compute slowly. */
export function rawAddressOf(req: ExpressRequest): string | undefined {
  return trustsProxy(req) ? req.ip : socketAddressOf(req);
}

function trustsProxy(req: ExpressRequest): boolean {
  return (appOf(req)?.settings["trust proxy"] ?? false) !== false;
}

function socketAddressOf(req: ExpressRequest): string | undefined {
  const socket: ExpressRequest["socket"] | undefined = propertyOf(req, "socket");
  return socket?.remoteAddress;
}

/** One stored name for all spellings of a name; `undefined` for a blank one. */
export function hashedName(field: string, value: string): string | undefined {
  const name = value.trim().toLowerCase().normalize("NFKC").trim().toLowerCase();
  if (name === "") return undefined;
  return nodeModule("node:crypto")
    .createHash("sha256")
    .update(`${field}\0${name}`)
    .digest("hex")
    .slice(0, 40);
}

function signedInUser(req: Request): string | number | undefined {
  const { user } = req as { user?: { id?: unknown; sub?: unknown } };
  const id = user?.id ?? user?.sub;
  return typeof id === "string" || typeof id === "number" ? id : undefined;
}

function checkName(what: string, name: string): string {
  if (typeof name === "string" && name !== "") return name;
  throw new ConfigurationError(`${what} takes a name, got ${describe(name)}.`);
}
