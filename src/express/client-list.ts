import { BlockList, isIPv4 } from "node:net";
import type { Request, Response } from "express";
import type { Clock, EpochMilliseconds } from "../core/clock.js";
import { ConfigurationError } from "../core/errors.js";
import type { MaybePromise } from "../core/when-ready.js";
import { canonicalAddress } from "./address.js";
import { describe } from "./check-options.js";
import type { RequestFunction } from "./limit-options.js";

/**
 * Who is on a list: an address, a network (`"10.0.0.0/8"`, `"2001:db8::/32"`), a key as the key function returns
 * it, or a function of the request. With `until` the entry expires: a date or epoch milliseconds.
 */
export type ListEntry =
  | string
  | RequestFunction<boolean>
  | {
      readonly match: string | RequestFunction<boolean>;
      readonly until?: Date | EpochMilliseconds | undefined;
    };

/** What a request is matched by. */
export interface ListedClient {
  readonly req: Request;
  readonly res: Response;
  /** Its address in canonical form, not grouped. */
  readonly address: string | undefined;
  /** Asks the limiter's key function, at most once. */
  readonly key: () => MaybePromise<string>;
}

/** Which list an entry is on. */
export type ListName = "allow" | "deny";

/** The lists of one limiter. */
export interface Lists {
  readonly allow: ClientList;
  readonly deny: ClientList;
  /** Entries made while running are looked up in the storage for every request, so all processes see them. */
  readonly areShared: boolean;
}

interface Entry {
  readonly match: string | RequestFunction<boolean>;
  readonly until: EpochMilliseconds;
}

/** Allow or deny list of one limiter, in this process. Addresses are looked up together, however many. */
export class ClientList {
  readonly #clock: Clock;
  #entries: Entry[] = [];
  #addresses = new BlockList();
  #keys = new Set<string>();
  #functions: RequestFunction<boolean>[] = [];
  #nextExpiryAt = Number.POSITIVE_INFINITY;

  constructor(name: string, entries: readonly ListEntry[], clock: Clock) {
    this.#clock = clock;
    if (!Array.isArray(entries)) {
      throw new ConfigurationError(`Limiter: the option "${name}" must be a list, got ${describe(entries)}.`);
    }
    for (const entry of entries) this.#entries.push(toEntry(name, entry));
    this.#sort();
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  add(match: string, until: EpochMilliseconds = Number.POSITIVE_INFINITY): void {
    this.remove(match);
    this.#entries.push({ match, until });
    this.#sort();
  }

  remove(match: string): void {
    this.#entries = this.#entries.filter((entry) => entry.match !== match);
    this.#sort();
  }

  /** Is this client on the list now? */
  async matches(client: ListedClient): Promise<boolean> {
    if (this.#clock.now() >= this.#nextExpiryAt) this.#sort();
    if (client.address !== undefined && this.#addresses.check(client.address, familyOf(client.address)))
      return true;
    if (this.#keys.size > 0 && this.#keys.has(await client.key())) return true;
    for (const matches of this.#functions) {
      if (await matches(client.req, client.res)) return true;
    }
    return false;
  }

  #sort(): void {
    const now = this.#clock.now();
    this.#entries = this.#entries.filter(({ until }) => until > now);
    this.#nextExpiryAt = Math.min(Number.POSITIVE_INFINITY, ...this.#entries.map(({ until }) => until));
    this.#addresses = new BlockList();
    this.#keys = new Set();
    this.#functions = [];
    for (const { match } of this.#entries) {
      if (typeof match === "function") this.#functions.push(match);
      else if (!addToAddresses(this.#addresses, match)) this.#keys.add(match);
    }
  }
}

function toEntry(name: string, entry: ListEntry): Entry {
  const { match, until } =
    typeof entry === "object" && entry !== null ? entry : { match: entry, until: undefined };
  const untilAt = until === undefined ? Number.POSITIVE_INFINITY : Number(until);
  if ((typeof match !== "function" && (typeof match !== "string" || match === "")) || Number.isNaN(untilAt)) {
    throw new ConfigurationError(
      `Limiter: ${name} takes addresses, networks such as "10.0.0.0/8", keys and functions, got ${describe(entry)}.`,
    );
  }
  if (typeof match === "string") checkNetwork(name, match);
  return { match, until: untilAt };
}

/** A network that is nearly one would silently be taken for a key. */
function checkNetwork(name: string, text: string): void {
  const [network = "", bits] = text.split("/");
  const address = canonicalAddress(network, 128);
  if (bits === undefined || address === undefined) return;
  const longest = isIPv4(network) ? 32 : 128;
  if (/^\d{1,3}$/.test(bits) && Number(bits) <= longest) return;
  throw new ConfigurationError(
    `Limiter: ${name} has the network "${text}", whose length must be 0 to ${longest}.`,
  );
}

function addToAddresses(list: BlockList, text: string): boolean {
  const [network = "", bits] = text.split("/");
  const address = bareAddress(network);
  if (address === undefined) return false;
  if (bits === undefined) list.addAddress(address, familyOf(address));
  else list.addSubnet(address, Number(bits), familyOf(address));
  return true;
}

/** Canonical, whole, without the length that grouped addresses carry. */
export function bareAddress(text: string): string | undefined {
  return canonicalAddress(text, 128)?.replace(/\/128$/, "");
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv4(address) ? "ipv4" : "ipv6";
}
