import type { Milliseconds } from "../core/clock.js";
import type { Deadlines } from "../core/deadlines.js";
import type { Claim, HitOptions } from "../core/storage.js";
import type { Policy, Verdict } from "../core/strategy.js";
import type { ListDecider } from "./list-decider.js";
import { PlainHit } from "./plain-hit.js";
import type { ProcessTime } from "./process-time.js";
import type { PlainTally, Tally } from "./tally.js";

/** What it is given to work with. */
export interface PlainHitsOptions {
  readonly tallyOf: (policy: Policy) => Tally;
  readonly time: () => ProcessTime;
  readonly deadlines: Deadlines;
  /** Takes over where a list is not simply admitted. */
  readonly decider: ListDecider;
}

/**
 * The short road of the usual list: limits only, each of which one answer of the server decides, and none that
 * is known to refuse.
 *
 * All commands leave together, and one record gathers the answers. When all of them had room, that is the
 * decision. Everything else, a refusal, a failure, a deadline that has passed, goes on by the long road: what
 * was charged is given back there, or the list is tried again.
 *
 * Hot: one promise for each decision.
 */
export class PlainHits {
  readonly #options: PlainHitsOptions;
  readonly #onAnswered = (hit: PlainHit): void => this.#conclude(hit);

  constructor(options: PlainHitsOptions) {
    this.#options = options;
  }

  /** {@link Storage.hit} of a list that can take this road; `undefined` for others. */
  hit(
    claims: readonly Claim[],
    mode: HitOptions["mode"],
    timeoutMs: Milliseconds,
  ): Promise<readonly Verdict[]> | undefined {
    const tallies = this.#talliesOf(claims, mode);
    if (tallies === undefined) return undefined;
    return new Promise((resolve, reject) => {
      const { deadlines } = this.#options;
      const hit = new PlainHit(tallies, this.#onAnswered, deadlines, timeoutMs, resolve, reject);
      if (tallies.length > 1) this.#options.decider.begin();
      hit.send(claims, this.#options.time().now());
    });
  }

  #talliesOf(claims: readonly Claim[], mode: HitOptions["mode"]): readonly PlainTally[] | undefined {
    const { decider, tallyOf } = this.#options;
    if (claims.length === 0 || (claims.length > 1 && mode !== "all")) return undefined;
    // Of its size from the start: an empty list that is pushed to has room for 17.
    const tallies = new Array<PlainTally>(claims.length);
    for (let i = 0; i < claims.length; i++) {
      const tally = plainTallyOf(claims[i], tallyOf);
      if (tally === undefined) return undefined;
      tallies[i] = tally;
    }
    return decider.mayRefuse(claims) ? undefined : tallies;
  }

  #conclude(hit: PlainHit): void {
    const verdicts = hit.admissions(this.#options.time().now());
    if (verdicts === undefined || !hit.succeed(verdicts)) void this.#goOn(hit);
    else if (verdicts.length > 1) this.#options.decider.end();
  }

  async #goOn(hit: PlainHit): Promise<void> {
    const { decider } = this.#options;
    try {
      const charged = hit.reservations();
      const { failure } = hit;
      if (failure !== undefined) {
        decider.giveBack(charged);
        throw failure.error;
      }
      hit.succeed(await decider.goOn(charged, hit));
    } catch (error) {
      hit.fail(error);
    } finally {
      if (hit.size > 1) decider.end();
    }
  }
}

/** Of a limit that charges something. */
function plainTallyOf(claim: Claim | undefined, tallyOf: (policy: Policy) => Tally): PlainTally | undefined {
  return claim?.role === "limit" && claim.cost > 0 ? tallyOf(claim.policy).plain : undefined;
}
