/** What is read of a client's own settings; all of them may be missing. */
export interface RedisClientOptions {
  readonly keyPrefix?: unknown;
  readonly role?: unknown;
  readonly maxRetriesPerRequest?: unknown;
  readonly autoResendUnfulfilledCommands?: unknown;
  readonly redisOptions?: object | undefined;
}

/** Scripts whose replies are not read as text: ioredis has them beside `evalsha` and `eval`, its types do not. */
export interface BinaryScripts {
  evalshaBuffer(sha: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>;
  evalBuffer(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>;
}

/** A client with its methods that give bytes. Whether it has them was checked when it was handed in. */
export function binaryScripts(client: RedisClient): BinaryScripts {
  return client as RedisClient & BinaryScripts;
}

/**
 * What `RedisStorage` needs of a client: an ioredis `Redis` (5.4 or newer) or `Cluster` fits as it is.
 *
 * Structural, so that nothing of ioredis is needed to compile against this package.
 */
export interface RedisClient {
  evalsha(sha: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>;
  eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>;
  ping(): Promise<unknown>;
  scan(cursor: string, match: "MATCH", pattern: string, count: "COUNT", size: number): Promise<unknown>;
  unlink(...keys: string[]): Promise<unknown>;
  disconnect(): void;
  on(event: string, listener: (error?: unknown) => void): unknown;
  off(event: string, listener: (error?: unknown) => void): unknown;
  readonly options?: RedisClientOptions | undefined;
  /** Of a Cluster: true. */
  readonly isCluster?: boolean | undefined;
  /** Of a Cluster: which nodes serve each slot, masters first, as `"host:port"`. */
  readonly slots?: readonly (readonly string[] | undefined)[] | undefined;
  /** Of a Cluster: its nodes. */
  nodes?(role: "master"): readonly RedisClient[];
}
