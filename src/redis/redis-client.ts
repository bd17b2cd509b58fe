/** What is read of a client's own settings; all of them may be missing. */
export interface RedisClientOptions {
  readonly keyPrefix?: unknown;
  readonly role?: unknown;
  readonly maxRetriesPerRequest?: unknown;
  readonly autoResendUnfulfilledCommands?: unknown;
  readonly redisOptions?: object | undefined;
}

/**
 * What `RedisStorage` needs of a client: an ioredis `Redis` (5.4 or newer) or `Cluster` fits as it is.
 *
 * Structural, so that nothing of ioredis is needed to compile against this package.
 */
export interface RedisClient {
  /** Sends a command, and gives the strings of its reply as bytes. */
  callBuffer(command: string, ...args: string[]): Promise<unknown>;
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
