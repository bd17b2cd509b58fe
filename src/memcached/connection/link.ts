/** A stored text, and the number that every write of it changes. */
export interface Item {
  readonly text: string;
  /** `undefined` where the protocol does not tell it: an `incr` answers the sum alone. */
  readonly cas: string | undefined;
}

/**
 * What a storage asks of Memcached: all that both roads to it can do, and nothing more.
 *
 * Keys are printable ASCII of at most 250 bytes, texts printable ASCII. `exptime` is what the protocol takes:
 * seconds up to 30 days, an epoch second above. Failures reject; a command whose answer was lost may have run.
 */
export interface Link {
  /** Adds to the counter, or creates it holding `first`. Gives what is stored then. */
  increment(key: string, by: number, first: string, exptime: number): Promise<Item>;
  read(key: string): Promise<Item | undefined>;
  /** Writes if nobody did since `cas` was read; without a `cas`, if the key is missing. `false` if it lost. */
  write(key: string, text: string, cas: string | undefined, exptime: number): Promise<boolean>;
  remove(key: string): Promise<void>;
  /** Resolves when every server answers. */
  check(): Promise<void>;
  /** Ends what was opened here. */
  close(): void;
}
