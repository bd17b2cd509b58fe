import type { BlockList } from "node:net";
import type { Request, Response } from "express";
import type { Clock, EpochMilliseconds } from "../core/clock.js";
import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";
import type { MaybePromise } from "../core/when-ready.js";
import { checkOptionNames } from "./check-options.js";
import { isIPv4 } from "./ip-version.js";
import type { RequestFunction } from "./limit-options.js";
import { type ListMatch, type Network, parseListMatch } from "./list-match.js";
import { nodeModule } from "./node-modules.js";

/**
 * Who is on a list: an address, a network (`"10.0.0.0/8"`, `"2001:db8::/32"`), a key as the key function returns
 * it, or a function of the request. With `until` the entry expires: a date or epoch milliseconds.
 */
export type ListEntry =
  | string
  | RequestFunction<boolean>
  | {
      readonly who: string | RequestFunction<boolean>;
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
  /** What this process has told the storage, to go on with while the storage is lost. */
  readonly told: Readonly<Record<ListName, ClientList>>;
}

interface ListedFunction {
  readonly matches: RequestFunction<boolean>;
  readonly until: EpochMilliseconds;
}

interface ListedNetwork extends Network {
  readonly until: EpochMilliseconds;
}

const FOR_EVER = Number.POSITIVE_INFINITY;

/** Expired entries match nobody; they are dropped when so many more have come. */
const SWEPT_AFTER = 1000;

/** Allow or deny list of one limiter, in this process. An address is found in one step, however many there are. */
export class ClientList {
  readonly #clock: Clock;
  readonly #addresses = new Map<string, EpochMilliseconds>();
  readonly #keys = new Map<string, EpochMilliseconds>();
  readonly #networks = new Map<string, ListedNetwork>();
  readonly #functions: ListedFunction[] = [];
  /** All networks together, to be rebuilt when they change; `undefined` until they are asked. */
  #ranges: Readonly<Record<Network["family"], BlockList>> | undefined;
  #addedSinceSweep = 0;

  constructor(name: string, entries: readonly ListEntry[], clock: Clock) {
    this.#clock = clock;
    if (!Array.isArray(entries)) {
      throw new ConfigurationError(`Limiter: the option "${name}" must be a list, got ${describe(entries)}.`);
    }
    for (const entry of entries) this.#addEntry(`Limiter: ${name}`, entry);
  }

  get isEmpty(): boolean {
    return this.#addresses.size + this.#keys.size + this.#networks.size + this.#functions.length === 0;
  }

  /** Puts an entry on the list; one for the same clients that was there before gives way. */
  add(match: ListMatch, until: EpochMilliseconds = FOR_EVER): void {
    if (match.kind === "address") this.#addresses.set(match.text, until);
    else if (match.kind === "key") this.#keys.set(match.text, until);
    else {
      this.#networks.set(match.text, { ...match.network, until });
      this.#ranges = undefined;
    }
    if (++this.#addedSinceSweep >= SWEPT_AFTER) this.#sweep();
  }

  remove(match: ListMatch): void {
    this.#addresses.delete(match.text);
    this.#keys.delete(match.text);
    if (this.#networks.delete(match.text)) this.#ranges = undefined;
  }

  /** Until when this client is on the list; `undefined` when it is not. */
  async listedUntil(client: ListedClient): Promise<EpochMilliseconds | undefined> {
    if (this.isEmpty) return undefined;
    const now = this.#clock.now();
    const until = client.address === undefined ? now : this.#addressUntil(client.address, now);
    if (until > now) return until;
    const byKey = this.#keys.size > 0 ? this.#keys.get(await client.key()) : undefined;
    if (byKey !== undefined && byKey > now) return byKey;
    for (const listed of this.#functions) {
      if (listed.until > now && (await listed.matches(client.req, client.res))) return listed.until;
    }
    return undefined;
  }

  #addEntry(where: string, entry: ListEntry): void {
    const isDetailed = typeof entry === "object" && entry !== null;
    if (isDetailed) checkOptionNames(where, entry, ["who", "until"]);
    const { who, until } = isDetailed ? entry : { who: entry, until: undefined };
    const untilAt = until === undefined ? FOR_EVER : untilOf(where, until);
    if (typeof who === "function") this.#functions.push({ matches: who, until: untilAt });
    else this.add(parseListMatch(where, who), untilAt);
  }

  #addressUntil(address: string, now: EpochMilliseconds): EpochMilliseconds {
    const family = isIPv4(address) ? "ipv4" : "ipv6";
    let until = this.#addresses.get(address) ?? now;
    if (this.#networks.size === 0 || !this.#rangesOf(family).check(address, family)) return until;
    for (const network of this.#networks.values()) {
      if (network.until > until && rangesOf([network])[family].check(address, family)) until = network.until;
    }
    return until;
  }

  #rangesOf(family: Network["family"]): BlockList {
    this.#ranges ??= rangesOf(this.#networks.values());
    return this.#ranges[family];
  }

  #sweep(): void {
    const now = this.#clock.now();
    this.#addedSinceSweep = 0;
    for (const untils of [this.#addresses, this.#keys]) {
      for (const [text, until] of untils) if (until <= now) untils.delete(text);
    }
    for (const [text, { until }] of this.#networks) if (until <= now) this.#networks.delete(text);
    this.#ranges = undefined;
  }
}

/** One list for each family: an IPv6 network that holds the mapped addresses is not meant to hold IPv4. */
function rangesOf(networks: Iterable<Network>): Record<Network["family"], BlockList> {
  const { BlockList } = nodeModule("node:net");
  const ranges = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const { family, address, bits } of networks) ranges[family].addSubnet(address, bits, family);
  return ranges;
}

function untilOf(where: string, until: unknown): EpochMilliseconds {
  const untilAt = until instanceof Date || typeof until === "number" ? Number(until) : Number.NaN;
  if (!Number.isNaN(untilAt)) return untilAt;
  throw new ConfigurationError(
    `${where}: the option "until" must be a date or epoch milliseconds, got ${describe(until)}.`,
  );
}
