import type { Call } from "./call.js";
import { hashSlot } from "./hash-slot.js";
import { Lane, type LaneOptions } from "./lane.js";

/** The one lane of a single server. */
const ONLY_SERVER = "";

/** Events after which another server may answer: of a single connection, and of a Cluster's nodes. */
const CHANGES = ["close", "-node", "node error"];

/** A lane for each server: one, or a Cluster's masters. */
export class Lanes {
  readonly #options: LaneOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #onChange = (): void => {
    for (const lane of this.#lanes.values()) lane.forgetServer();
  };

  constructor(options: LaneOptions) {
    this.#options = options;
    for (const event of CHANGES) options.client.on(event, this.#onChange);
  }

  ask(call: Call): void {
    const server = this.#serverOf(call.tag);
    let lane = this.#lanes.get(server);
    if (lane === undefined) {
      lane = new Lane(this.#options);
      this.#lanes.set(server, lane);
    }
    lane.ask(call);
  }

  /** Leaves the client as it was. */
  close(): void {
    for (const event of CHANGES) this.#options.client.off(event, this.#onChange);
  }

  /** The client itself routes each call; here it only matters whose clock will answer. */
  #serverOf(tag: string): string {
    const { slots } = this.#options.client;
    return slots?.[hashSlot(tag)]?.[0] ?? ONLY_SERVER;
  }
}
