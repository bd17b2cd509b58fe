import { chargesOf } from "../core/charges-of.js";
import { Deadlines } from "../core/deadlines.js";
import { StorageError } from "../core/errors.js";
import { STRATEGY_NAMES } from "../core/policy.js";
import type { Charge, Claim, HitOptions, Storage } from "../core/storage.js";
import type { StrategyName, Verdict } from "../core/strategy.js";
import { groupByTag, place } from "./by-tag.js";
import { Call, failure, timeoutError } from "./call.js";
import { warnOfUnsafeSettings } from "./client-warnings.js";
import { connect, parseRedisUri } from "./connect.js";
import { DenyCache } from "./deny-cache.js";
import { hashTag } from "./hash-slot.js";
import { Lanes } from "./lanes.js";
import type { RedisClient } from "./redis-client.js";
import {
  type RedisStorageOptions,
  type RedisStorageSettings,
  resolveOptions,
} from "./redis-storage-options.js";
import { resetKeys } from "./reset-keys.js";
import { spreadHit } from "./spread-hit.js";
import { claimsOf, type Question } from "./wire.js";

const NOTHING: readonly Verdict[] = [];

/**
 * Counts in Redis, so that many processes share their limits.
 *
 * Takes an ioredis `Redis` (Sentinel included) or `Cluster`, or a URI, for which it loads ioredis itself:
 * `redis://`, `rediss://`, `redis+unix://`, `redis+cluster://h:p,h:p`, `redis+sentinel://h:p,h:p/name`.
 *
 * A call is decided in one script run, on the server's clock; calls of one turn of the event loop share it.
 * Every call ends by its deadline, and what Redis decides after it charges nothing. Failures are rejected with
 * `StorageError`, whose `cause` is what the client said.
 *
 * @example
 * const limiter = new Limiter({ defaultLimits: "100 per minute", storage: new RedisStorage(new Redis()) });
 */
export class RedisStorage implements Storage {
  readonly name = "redis";
  readonly strategies: readonly StrategyName[] = STRATEGY_NAMES;
  readonly #settings: RedisStorageSettings;
  readonly #deadlines = new Deadlines();
  readonly #denied: DenyCache;
  readonly #ownsClient: boolean;
  readonly #isCluster: boolean;
  readonly #connecting: Promise<void> | undefined;
  #client: RedisClient | undefined;
  #lanes: Lanes | undefined;
  /** Why the connection that a URI opened cannot be made, as long as it cannot. */
  #connectionError: unknown;
  #isClosed = false;

  /** Throws `ConfigurationError` for a URI or an option that cannot be. Connects in the background. */
  constructor(clientOrUri: RedisClient | string, options: RedisStorageOptions = {}) {
    this.#settings = resolveOptions(options);
    // What is known runs out on real time, which a test's clock does not follow.
    this.#denied = new DenyCache(this.#settings.clock === undefined ? this.#settings.denyCacheMs : 0);
    this.#ownsClient = typeof clientOrUri === "string";
    if (typeof clientOrUri === "string") {
      const address = parseRedisUri(clientOrUri);
      this.#isCluster = address.kind === "cluster";
      this.#connecting = connect(address, this.#settings.clientOptions).then((client) => this.#use(client));
      // Whoever asks is told.
      this.#connecting.catch(() => {});
    } else {
      warnOfUnsafeSettings(clientOrUri);
      this.#isCluster = clientOrUri.isCluster === true;
      this.#use(clientOrUri);
    }
  }

  hit(
    claims: readonly Claim[],
    { mode, timeoutMs }: HitOptions,
  ): readonly Verdict[] | Promise<readonly Verdict[]> {
    if (claims.length === 0) return NOTHING;
    const refusal = this.#denied.isEmpty ? undefined : this.#denied.refusal(claims, mode, performance.now());
    if (refusal !== undefined) return refusal;
    const tag = this.#commonTag(claims);
    if (tag !== undefined) return this.#ask({ kind: "hit", claims, mode }, tag, timeoutMs);
    const deadlineAt = performance.now() + (timeoutMs ?? this.#settings.commandTimeoutMs);
    return spreadHit({
      claims,
      mode,
      groups: groupByTag(claims, ({ key }) => hashTag(key)),
      ask: (question, groupTag) => this.#ask(question, groupTag, Math.max(0, deadlineAt - performance.now())),
      giveBack: (charges, groupTag) => this.#giveBack(charges, groupTag),
    });
  }

  async test(claims: readonly Claim[]): Promise<readonly Verdict[]> {
    const verdicts: Verdict[] = [];
    await Promise.all(
      groupByTag(claims, ({ key }) => this.#tagOf(key)).map(async (group) => {
        place(await this.#ask({ kind: "test", claims: group.items }, group.tag), group, verdicts);
      }),
    );
    return verdicts;
  }

  async refund(charges: readonly Charge[]): Promise<void> {
    const groups = groupByTag(charges, ({ claim }) => this.#tagOf(claim.key));
    await Promise.all(groups.map(({ items, tag }) => this.#ask({ kind: "refund", charges: items }, tag)));
  }

  async clear(claims: readonly Claim[]): Promise<void> {
    const groups = groupByTag(claims, ({ key }) => this.#tagOf(key));
    await Promise.all(groups.map(({ items, tag }) => this.#ask({ kind: "clear", claims: items }, tag)));
  }

  async reset(prefix: string): Promise<void> {
    const client = await this.#ready();
    this.#denied.easeAll(performance.now());
    try {
      await resetKeys(client, prefix, (command) => this.#withDeadline(command));
    } catch (error) {
      throw this.#failure(error);
    } finally {
      this.#denied.easeAll(performance.now());
    }
  }

  /** Does Redis answer? It may still refuse to write: a replica, or a full server. */
  async check(): Promise<boolean> {
    try {
      const client = await this.#ready();
      await this.#withDeadline(client.ping());
      return true;
    } catch {
      return false;
    }
  }

  /** Fails what still waits. Closes the connection that a URI opened; one that was handed in stays open. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#connecting?.catch(() => {});
    this.#lanes?.close();
    this.#deadlines.close();
    if (this.#ownsClient) this.#client?.disconnect();
  }

  #use(client: RedisClient): void {
    this.#client = client;
    if (this.#ownsClient) this.#watch(client);
    this.#lanes = new Lanes({
      client,
      deadlines: this.#deadlines,
      maxBatch: this.#settings.maxBatch,
      testNow: () => this.#testNow(),
      answerLocally: ({ question }) => {
        if (question.kind !== "hit" || this.#denied.isEmpty) return undefined;
        return this.#denied.refusal(question.claims, question.mode, performance.now());
      },
      failure: (error) => this.#failure(error),
      onAnswer: ({ question, askedAt }, verdicts, times) => {
        if (question.kind !== "hit" || verdicts.every(isAllowed)) return;
        this.#denied.learn({ ...question, ...times, askedAt, verdicts });
      },
      onUnwanted: (call, verdicts) => this.#giveBackUnwanted(call, verdicts),
    });
  }

  #watch(client: RedisClient): void {
    client.on("error", (error) => {
      this.#connectionError = error;
    });
    client.on("ready", () => {
      this.#connectionError = undefined;
    });
  }

  #failure(error: unknown): StorageError {
    return failure(error, this.#connectionError);
  }

  async #ready(): Promise<RedisClient> {
    await this.#connecting;
    if (this.#isClosed || this.#client === undefined) throw closedError();
    return this.#client;
  }

  #ask(question: Question, tag: string, timeoutMs?: number): Promise<readonly Verdict[]> {
    if (this.#isClosed) return Promise.reject(closedError());
    if (this.#lanes === undefined) return this.#ready().then(() => this.#ask(question, tag, timeoutMs));
    const call = new Call(question, tag, timeoutMs ?? this.#settings.commandTimeoutMs, this.#deadlines);
    this.#lanes.ask(call);
    if (question.kind === "refund" || question.kind === "clear") return this.#ease(question, call.answer);
    return call.answer;
  }

  /** What is known to be exhausted may not be any more. */
  async #ease<T>(question: Question, answer: Promise<T>): Promise<T> {
    const keys = claimsOf(question).map(({ key }) => key);
    this.#denied.ease(keys, performance.now());
    try {
      return await answer;
    } finally {
      this.#denied.ease(keys, performance.now());
    }
  }

  /** A decision was made in time, but its caller heard that it took too long: it is not to be counted. */
  #giveBackUnwanted({ question, tag }: Call, verdicts: readonly Verdict[]): void {
    if (question.kind !== "hit" || this.#isClosed) return;
    const charges = chargesOf(question.claims, verdicts, question.mode);
    if (charges.length > 0) this.#giveBack(charges, tag);
  }

  /** In the background: nobody waits for it, and nobody can do anything when it fails. */
  #giveBack(charges: readonly Charge[], tag: string): void {
    this.#ask({ kind: "refund", charges }, tag).catch(() => {});
  }

  #tagOf(key: string): string {
    return this.#isCluster ? hashTag(key) : "";
  }

  #commonTag(claims: readonly Claim[]): string | undefined {
    const [first] = claims;
    if (!this.#isCluster || first === undefined) return "";
    const tag = this.#tagOf(first.key);
    return claims.every(({ key }) => this.#tagOf(key) === tag) ? tag : undefined;
  }

  #withDeadline<T>(command: Promise<T>): Promise<T> {
    const timeoutMs = this.#settings.commandTimeoutMs;
    return this.#deadlines.race(command, timeoutMs, () => timeoutError(timeoutMs));
  }

  #testNow(): number | undefined {
    const now = this.#settings.clock?.now();
    return now === undefined ? undefined : Math.floor(now);
  }
}

function isAllowed({ allowed }: Verdict): boolean {
  return allowed;
}

function closedError(): StorageError {
  return new StorageError("The Redis storage is closed.");
}
