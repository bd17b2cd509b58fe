import type { Milliseconds } from "../core/clock.js";
import type { LocalInstant } from "../core/deadlines.js";
import type { Claim, HitOptions } from "../core/storage.js";
import type { Verdict } from "../core/strategy.js";

/** The most keys that are known to be exhausted. The ones known longest go first. */
const MOST_KEYS = 4096;

/** The most lists that one exhausted key is remembered to refuse. */
const MOST_LISTS_PER_KEY = 4;

/** A refusal that still holds. */
interface Refusal {
  readonly verdicts: readonly Verdict[];
  readonly receivedAt: LocalInstant;
  readonly holdsUntil: LocalInstant;
}

/** A refusal as it came from Redis. */
export interface RefusedHit {
  readonly claims: readonly Claim[];
  readonly mode: HitOptions["mode"];
  readonly verdicts: readonly Verdict[];
  readonly askedAt: LocalInstant;
  readonly sentAt: LocalInstant;
  readonly receivedAt: LocalInstant;
}

/**
 * Keys that are known to be exhausted, so that asking again is needless.
 *
 * Sound: nothing can be charged to a key of which nothing remains, so it stays as it is until more becomes
 * available, except for refunds, `clear` and `reset`. Those of this process drop what is known; those of
 * other processes are seen `denyCacheMs` later at most. A refusal is taken to hold from when the question was
 * sent, and its waits are counted from when the answer came, so it never refuses too long and never tells a
 * wait that is too short. Only refusals that charge nothing are remembered: one that counts as a breach goes
 * to Redis. Other limits of the same list are told as they were.
 */
export class DenyCache {
  readonly #denyCacheMs: Milliseconds;
  readonly #keys = new Map<string, Map<string, Refusal>>();
  /** Keys that got something back, and when: an answer that was asked for before says nothing about them. */
  readonly #eased = new Map<string, LocalInstant>();
  #allEasedAt: LocalInstant = Number.NEGATIVE_INFINITY;

  constructor(denyCacheMs: Milliseconds) {
    this.#denyCacheMs = denyCacheMs;
  }

  /** True while no key is known to be exhausted. */
  get isEmpty(): boolean {
    return this.#keys.size === 0;
  }

  /** The verdicts that Redis would give, when they are known to be a refusal. */
  refusal(
    claims: readonly Claim[],
    mode: HitOptions["mode"],
    now: LocalInstant,
  ): readonly Verdict[] | undefined {
    for (const { key } of claims) {
      const lists = this.#keys.get(key);
      if (lists === undefined) continue;
      const list = nameOf(claims, mode);
      const refusal = lists.get(list);
      if (refusal === undefined) continue;
      if (now < refusal.holdsUntil) return refusal.verdicts.map((verdict) => aged(verdict, refusal, now));
      lists.delete(list);
      if (lists.size === 0) this.#keys.delete(key);
    }
    return undefined;
  }

  /** Remembers a refusal, if it may be given again without asking. */
  learn(hit: RefusedHit): void {
    if (this.#denyCacheMs === 0) return;
    const exhausted = refusingClaim(hit);
    if (exhausted === undefined || this.#wasEasedSince(exhausted.key, hit.askedAt)) return;
    // The server counts whole milliseconds, so more may come one earlier than it says.
    const changesInMs = Math.min(...hit.verdicts.map(untilChangeMs)) - 1;
    const holdsUntil = hit.sentAt + Math.min(changesInMs, this.#denyCacheMs);
    if (holdsUntil <= hit.receivedAt) return;
    const lists = this.#listsOf(exhausted.key);
    if (lists.size >= MOST_LISTS_PER_KEY) lists.clear();
    lists.set(nameOf(hit.claims, hit.mode), {
      verdicts: hit.verdicts,
      receivedAt: hit.receivedAt,
      holdsUntil,
    });
  }

  /** To be called when these keys get something back. */
  ease(keys: readonly string[], now: LocalInstant): void {
    if (this.#denyCacheMs === 0) return;
    for (const key of keys) {
      this.#keys.delete(key);
      this.#eased.delete(key);
      this.#eased.set(key, now);
      if (this.#eased.size > MOST_KEYS) this.#forgetOldestEased();
    }
  }

  /** To be called when any key may have got something back. */
  easeAll(now: LocalInstant): void {
    this.#keys.clear();
    this.#eased.clear();
    this.#allEasedAt = now;
  }

  #wasEasedSince(key: string, askedAt: LocalInstant): boolean {
    return Math.max(this.#allEasedAt, this.#eased.get(key) ?? Number.NEGATIVE_INFINITY) >= askedAt;
  }

  #forgetOldestEased(): void {
    for (const [key, at] of this.#eased) {
      this.#eased.delete(key);
      this.#allEasedAt = Math.max(this.#allEasedAt, at);
      return;
    }
  }

  #listsOf(key: string): Map<string, Refusal> {
    let lists = this.#keys.get(key);
    if (lists !== undefined) return lists;
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size < MOST_KEYS) break;
      this.#keys.delete(oldest);
    }
    lists = new Map();
    this.#keys.set(key, lists);
    return lists;
  }
}

/**
 * The claim that would refuse the same list again without charging anything, if there is one.
 *
 * Next to meta claims it is a meta claim: a limit's refusal is a breach, which they count each time. Where each
 * limit is charged on its own, all must have been refused.
 */
function refusingClaim({ claims, mode, verdicts }: RefusedHit): Claim | undefined {
  const hasMeta = claims.some(({ role }) => role === "meta");
  if (!hasMeta && mode === "each" && verdicts.some(({ allowed }) => allowed)) return undefined;
  const role = hasMeta ? "meta" : "limit";
  return claims.find((claim, i) => claim.role === role && isExhausted(verdicts[i]));
}

function isExhausted(verdict: Verdict | undefined): boolean {
  return verdict !== undefined && !verdict.allowed && verdict.remaining === 0;
}

/** From then on a verdict may read differently, for all that is known. */
function untilChangeMs({ resetAfterMs }: Verdict): Milliseconds {
  return resetAfterMs === 0 ? Number.POSITIVE_INFINITY : resetAfterMs;
}

function aged(verdict: Verdict, { receivedAt }: Refusal, now: LocalInstant): Verdict {
  const ageMs = Math.floor(now - receivedAt);
  return {
    ...verdict,
    resetAfterMs: Math.max(0, verdict.resetAfterMs - ageMs),
    retryAfterMs: Math.max(0, verdict.retryAfterMs - ageMs),
  };
}

/** What the list asks for: the same name, the same answer. */
function nameOf(claims: readonly Claim[], mode: HitOptions["mode"]): string {
  let name: string = mode;
  for (const { key, cost, role } of claims) name += ` ${key} ${cost} ${role}`;
  return name;
}
