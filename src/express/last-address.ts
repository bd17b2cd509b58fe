import { addressKeyPart } from "../core/key.js";
import type { Identity } from "./request-state.js";

/** Names clients by their addresses, and remembers the last: who sends several requests in a row is named once. */
export class LastAddress {
  #last: Identity = { key: "", part: addressKeyPart("") };

  identityOf(address: string): Identity {
    if (this.#last.key !== address) this.#last = { key: address, part: addressKeyPart(address) };
    return this.#last;
  }
}
