import type { EpochMilliseconds } from "../core/clock.js";
import type { NamedClaim } from "../core/decision.js";
import type { KeyPlace } from "../core/key.js";
import { BLOCK_POLICY } from "../core/policy.js";
import type { Policy, Verdict } from "../core/strategy.js";
import { CountedVerdict } from "../core/verdict.js";
import type { BoundLimit } from "./bound-limit.js";
import type { ClientDenied } from "./client-denied.js";
import type { Counter, WantedLimit } from "./counters.js";
import type { Lifted } from "./marks.js";
import { NOTHING_LIFTED } from "./marks.js";
import type { RateLimitInfo } from "./rate-limit-info.js";
import type { RouteLookup } from "./route-lookup.js";

/** May the request be limited, does it pass without, or is it refused before anything is counted? */
export type Admission = "limited" | "unlimited" | ClientDenied;

const UNDECIDED: Verdict = new CountedVerdict(false, 0, 0, 0, 0, 0);

const NOTHING_YET: readonly never[] = [];

/** Who is counted: as the key function said, and as keys hold it. */
export interface Identity {
  readonly key: string;
  readonly part: string;
}

/**
 * A claim with the limit that makes it, and what was decided about it. One object, as every request keeps one: what
 * all claims of a counter have in common stays there.
 */
export class RequestClaim implements NamedClaim {
  readonly policy: Policy;
  readonly place: KeyPlace;
  readonly owner: string;
  readonly who: string;
  readonly cost: number;
  readonly role: "limit" | "meta";
  readonly parent: RequestClaim | undefined;
  readonly bound: BoundLimit;
  readonly counter: Counter;
  /** As decided; once the charge was given back, with what is left then. */
  verdict: Verdict = UNDECIDED;
  /** The list it was decided in, which tells the storage that decided it. */
  verdicts: readonly Verdict[] = NOTHING_YET;
  /** It was charged, and the charge stands. */
  isCharged = false;

  constructor(
    bound: BoundLimit,
    counter: Counter,
    policy: Policy,
    place: KeyPlace,
    { key, part }: Identity,
    cost: number,
    parent?: RequestClaim,
  ) {
    this.policy = policy;
    this.place = place;
    this.owner = part;
    this.who = key;
    this.cost = cost;
    this.role = parent !== undefined || bound.kind === "meta" ? "meta" : "limit";
    this.parent = parent;
    this.bound = bound;
    this.counter = counter;
  }

  get scope(): string {
    return this.counter.scope;
  }

  get key(): string {
    return this.place.keyOf(this.owner);
  }
}

/** The policy by which a claim is told: a block is told as the limit that it follows. */
export function policyToTell(claim: RequestClaim): Policy {
  return claim.policy === BLOCK_POLICY ? (claim.parent?.policy ?? claim.policy) : claim.policy;
}

/** What one limiter knows of one request. */
export class RequestState {
  readonly owner: object;
  readonly req: object;
  /** The state of the limiter that met this request before. */
  readonly earlier: RequestState | undefined;
  /** No other limiter has met this request. */
  isAlone: boolean;
  lookup: RouteLookup | undefined;
  /** Exemptions that ran as middleware. */
  lifted: Lifted = NOTHING_LIFTED;
  /** What filters and lists said, once they were asked. */
  admission: Admission | undefined;
  isGlobalDone = false;
  isApplicationDone = false;
  /** Limits that stood on the way and were decided, where they stood or together with a neighbour before them. */
  passed: readonly WantedLimit[] = NOTHING_YET;
  /** Limits that said they have none for this request. */
  withoutLimits: readonly BoundLimit[] = NOTHING_YET;
  decided: readonly RequestClaim[] = NOTHING_YET;
  /** The one that headers show, and when it was decided. */
  shown: RequestClaim | undefined;
  shownAt: EpochMilliseconds = 0;
  /** `req.rateLimit`, once it was read. */
  info: RateLimitInfo | undefined;
  /** Some charges depend on the answer, and the response is watched for it. */
  isWaitingForAnswer = false;

  constructor(owner: object, req: object, earlier: RequestState | undefined) {
    this.owner = owner;
    this.req = req;
    this.earlier = earlier;
    this.isAlone = earlier === undefined;
    if (earlier !== undefined) earlier.isAlone = false;
  }
}
