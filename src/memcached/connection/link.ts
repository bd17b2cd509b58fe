/** A stored text, and the number that every write of it changes: see {@link Link.read} on whether they match. */
export interface Item {
  readonly text: string;
  /** `undefined` where the protocol does not tell it: an `incr` answers the sum alone. */
  readonly cas: string | undefined;
}

/** A counter to add to, and who is told what came of it: exactly one of the two, once. */
export interface Increment {
  readonly key: string;
  readonly by: number;
  /** What the counter holds at first when it is missing, this increment included. */
  readonly first: string;
  readonly exptime: number;
  /** What is stored now: `NaN` when it is no number. `cas` is 0 where it is not told. */
  counted(sum: number, cas: number): void;
  failed(error: unknown): void;
}

/**
 * What a storage asks of Memcached: all that both roads to it can do, and nothing more.
 *
 * Keys are printable ASCII of at most 250 bytes, texts printable ASCII. `exptime` is what the protocol takes:
 * seconds up to 30 days, an epoch second above. Failures reject; a command whose answer was lost may have run.
 */
export interface Link {
  /** Adds to the counter, or creates it. Never throws; hot, so without a promise. */
  increment(increment: Increment): void;
  /** The `cas` of an item that is being incremented may be one that its text never had. */
  read(key: string): Promise<Item | undefined>;
  /** Reads an item that others increment, so that text and `cas` belong together and it can be written. */
  readCounter(key: string): Promise<Item | undefined>;
  /** Writes if nobody did since `cas` was read; without a `cas`, if the key is missing. `false` if it lost. */
  write(key: string, text: string, cas: string | undefined, exptime: number): Promise<boolean>;
  remove(key: string): Promise<void>;
  /** Resolves when every server answers. */
  check(): Promise<void>;
  /** Ends what was opened here. */
  close(): void;
}
