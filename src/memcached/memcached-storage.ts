import type { Clock, Milliseconds } from "../core/clock.js";
import { systemClock } from "../core/clock.js";
import { Deadlines } from "../core/deadlines.js";
import { ConfigurationError, StorageError } from "../core/errors.js";
import { STRATEGY_NAMES } from "../core/policy.js";
import type { Charge, Claim, HitOptions, Storage } from "../core/storage.js";
import type { Policy, StrategyName, Verdict } from "../core/strategy.js";
import { ClientLink, type MemcachedClient, missingMethods } from "./connection/client-link.js";
import type { Link } from "./connection/link.js";
import { ServerLink } from "./connection/server-link.js";
import { ShardedLink } from "./connection/sharded-link.js";
import { addressText } from "./connection/wire.js";
import { ListDecider } from "./list-decider.js";
import { commandTimeout, type MemcachedStorageOptions } from "./memcached-storage-options.js";
import { PlainHits } from "./plain-hits.js";
import { ProcessTime } from "./process-time.js";
import { parseServerUri } from "./server-uri.js";
import { createTally } from "./tallies.js";
import type { Tally } from "./tally.js";
import { runInTime } from "./timed-call.js";

/** Policies whose counting is remembered; functions can make up any number of limits. */
const MOST_TALLIES = 1000;

/**
 * Counts in Memcached, for any number of processes.
 *
 * Takes a URI (`memcached://host:port,host:port`, `memcached:///path/to.sock`), over which it speaks the
 * commands of Memcached 1.6 and, to older servers, the classic ones; or a client of the package `memcached`.
 * `docs/storages-memcached.md` tells what eviction and clocks can do, and what each strategy costs.
 *
 * @example
 * const limiter = new RateLimiter({ storage: new MemcachedStorage("memcached://127.0.0.1:11211") });
 */
export class MemcachedStorage implements Storage {
  readonly name = "memcached";
  readonly strategies: readonly StrategyName[] = STRATEGY_NAMES;
  readonly #link: Link;
  readonly #timeoutMs: Milliseconds;
  readonly #hasOwnClock: boolean;
  readonly #deadlines = new Deadlines();
  readonly #decider: ListDecider;
  readonly #plainHits: PlainHits;
  readonly #tallies = new Map<string, Tally>();
  #time: ProcessTime;

  constructor(server: string | MemcachedClient, options: MemcachedStorageOptions = {}) {
    this.#timeoutMs = commandTimeout(options);
    this.#hasOwnClock = options.clock !== undefined;
    this.#time =
      options.clock === undefined ? new ProcessTime(systemClock) : new ProcessTime(options.clock, 0);
    this.#link = createLink(server, this.#timeoutMs);
    const tallyOf = (policy: Policy) => this.#tallyOf(policy);
    const time = () => this.#time;
    this.#decider = new ListDecider(tallyOf, time);
    this.#plainHits = new PlainHits({ tallyOf, time, deadlines: this.#deadlines, decider: this.#decider });
  }

  /** A limiter with a clock of its own lends it to a storage that was given none. */
  useClock(clock: Clock): void {
    if (this.#hasOwnClock) return;
    this.#time = new ProcessTime(clock, 0);
    this.#tallies.clear();
  }

  checkPolicy(policy: Policy): void {
    this.#tallyOf(policy);
  }

  hit(claims: readonly Claim[], options: HitOptions): Promise<readonly Verdict[]> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    try {
      return (
        this.#plainHits.hit(claims, options.mode, timeoutMs) ??
        runInTime(this.#deadlines, timeoutMs, (call) => this.#decider.hit(claims, options, call))
      );
    } catch (error) {
      // A limit that cannot be counted.
      return Promise.reject(error);
    }
  }

  test(claims: readonly Claim[]): Promise<readonly Verdict[]> {
    return this.#run(() => this.#decider.test(claims));
  }

  refund(charges: readonly Charge[]): Promise<void> {
    return this.#each(charges, ({ claim, receipt }) => {
      this.#decider.full.forget(claim);
      return this.#tallyOf(claim.policy).refund(claim, receipt);
    });
  }

  clear(claims: readonly Claim[]): Promise<void> {
    return this.#each(claims, (claim) => {
      this.#decider.full.forget(claim);
      return this.#tallyOf(claim.policy).clear(claim);
    });
  }

  /** Memcached cannot list its keys: always throws `ConfigurationError`. */
  reset(): never {
    throw new ConfigurationError(
      "Memcached cannot list its keys, so reset() is not possible on the memcached storage. Clear known clients and limits with clear(), or change keyPrefix to start anew.",
    );
  }

  async check(): Promise<boolean> {
    try {
      await this.#run(() => this.#link.check());
      return true;
    } catch {
      return false;
    }
  }

  /** Ends the connections that were made from a URI; a client that was handed over stays open. */
  close(): void {
    this.#link.close();
    this.#deadlines.close(new StorageError("The Memcached storage was closed."));
  }

  async #each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    await this.#run(() => Promise.all(items.map(work)));
  }

  #run<T>(work: () => Promise<T>): Promise<T> {
    return runInTime(this.#deadlines, this.#timeoutMs, work);
  }

  #tallyOf(policy: Policy): Tally {
    const known = this.#tallies.get(policy.id);
    if (known !== undefined) return known;
    const tally = createTally(policy, this.#link, this.#time);
    if (this.#tallies.size >= MOST_TALLIES) this.#tallies.clear();
    this.#tallies.set(policy.id, tally);
    return tally;
  }
}

function createLink(server: string | MemcachedClient, stallMs: Milliseconds): Link {
  if (typeof server === "string") {
    const addresses = parseServerUri(server);
    const links = addresses.map((address) => new ServerLink(address, stallMs));
    const only = links.length === 1 ? links[0] : undefined;
    return only ?? new ShardedLink(addresses.map(addressText), links);
  }
  const missing = typeof server === "object" && server !== null ? missingMethods(server) : undefined;
  if (missing?.length === 0) return new ClientLink(server);
  throw new ConfigurationError(
    `The memcached storage takes a URI or a client of the package "memcached"${missing === undefined ? "" : `; what it got lacks ${missing.join(", ")}()`}.`,
  );
}
