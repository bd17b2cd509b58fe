import { hashOfTag, hashText } from "./hash-text.js";
import type { Increment, Item, Link } from "./link.js";

/** Places of each server on the ring: enough for shares within about a tenth of each other. */
const POINTS_PER_SERVER = 160;

interface Point {
  readonly at: number;
  readonly link: Link;
}

/**
 * Several servers as one: consistent hashing, so that a change of the list moves only the keys of the servers
 * that came or went.
 *
 * What stands between `{` and `}` decides alone where a key lives: one client's counters are on one server.
 * A server that is down keeps its keys, since moving them would begin them anew: they fail until it is back.
 */
export class ShardedLink implements Link {
  readonly #links: readonly Link[];
  readonly #ring: readonly Point[];

  /** Names, in the same order as links, place the servers: the same name, the same keys. */
  constructor(names: readonly string[], links: readonly Link[]) {
    this.#links = links;
    this.#ring = links
      .flatMap((link, i) => ringPlaces(names[i] ?? "").map((at) => ({ at, link })))
      .sort((a, b) => a.at - b.at);
  }

  increment(increment: Increment): void {
    this.#linkOf(increment.key).increment(increment);
  }

  read(key: string): Promise<Item | undefined> {
    return this.#linkOf(key).read(key);
  }

  readCounter(key: string): Promise<Item | undefined> {
    return this.#linkOf(key).readCounter(key);
  }

  write(key: string, text: string, cas: string | undefined, exptime: number): Promise<boolean> {
    return this.#linkOf(key).write(key, text, cas, exptime);
  }

  remove(key: string): Promise<void> {
    return this.#linkOf(key).remove(key);
  }

  async check(): Promise<void> {
    await Promise.all(this.#links.map((link) => link.check()));
  }

  close(): void {
    for (const link of this.#links) link.close();
  }

  #linkOf(key: string): Link {
    const at = hashOfTag(key);
    let [low, high] = [0, this.#ring.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ring[middle]?.at ?? 0) < at) low = middle + 1;
      else high = middle;
    }
    const point = this.#ring[low] ?? this.#ring[0];
    if (point === undefined) throw new RangeError("A list of servers needs at least one.");
    return point.link;
  }
}

function ringPlaces(name: string): number[] {
  return Array.from({ length: POINTS_PER_SERVER }, (_, i) => hashText(`${name}#${i}`));
}
