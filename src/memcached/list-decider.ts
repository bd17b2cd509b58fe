import { followsOneOf } from "../core/claim.js";
import type { Claim, HitOptions } from "../core/storage.js";
import type { Policy, Verdict } from "../core/strategy.js";
import { FullKeys } from "./full-keys.js";
import type { ProcessTime } from "./process-time.js";
import type { Reservation, ReservedClaim, Tally } from "./tally.js";
import type { Call } from "./timed-call.js";

/** Reservations that refused each other are tried again so often. */
const MOST_ATTEMPTS = 3;

/** What became of one claim so far. */
interface Entry {
  readonly claim: Claim;
  readonly verdict: Verdict;
  /** Of a limit that was asked to be charged. */
  readonly reservation?: Reservation | undefined;
}

/**
 * Decides lists of claims on a store that can change only one key at a time: reserve everywhere, and give all
 * back if one has no room.
 *
 * At every moment each counter shows at least what was admitted, so no limit admits more than its amount. What
 * is reserved and then given back can make a counter look fuller for a moment; lists of this process that
 * refused each other so are tried again.
 */
export class ListDecider {
  readonly full: FullKeys = new FullKeys();
  readonly #tallyOf: (policy: Policy) => Tally;
  readonly #time: () => ProcessTime;
  #running = 0;

  constructor(tallyOf: (policy: Policy) => Tally, time: () => ProcessTime) {
    this.#tallyOf = tallyOf;
    this.#time = time;
  }

  /** One of them never fits, or refused lately: it is better to look before anything is charged. */
  mayRefuse(claims: readonly Claim[]): boolean {
    return (
      claims.some(isHopeless) || (this.full.size > 0 && this.full.holdsOneOf(claims, this.#time().now()))
    );
  }

  /** {@link Storage.hit} for any list. */
  hit(
    claims: readonly Claim[],
    { mode }: HitOptions,
    call: Call<readonly Verdict[]>,
  ): Promise<readonly Verdict[]> {
    const only = claims[0];
    const isAlone = claims.length === 1 && only?.role === "limit" && !this.mayRefuse(claims);
    return isAlone ? this.#hitOne(only, call) : this.#hitAll(claims, mode, call);
  }

  /** A list whose charges are sent elsewhere. It may refuse others, and be refused by them. */
  begin(): void {
    this.#running++;
  }

  /** The list is decided, or failed. */
  end(): void {
    this.#running--;
  }

  /** Goes on where every limit of a list was charged at its first attempt, and it is late or one had no room. */
  async goOn(charged: readonly ReservedClaim[], call: Call<readonly Verdict[]>): Promise<readonly Verdict[]> {
    const entries = charged.map(entryOf);
    if (call.isOver) return this.#takeBack(entries);
    const outcome = await this.#conclude(entries, "all", call, 1);
    const claims = charged.map(({ claim }) => claim);
    return outcome ?? this.#decide(claims, "all", call, 2);
  }

  /** Gives back in the background. */
  giveBack(charged: readonly ReservedClaim[]): void {
    this.#undo(charged.map(entryOf)).catch(() => {});
  }

  #hitOne(claim: Claim, call: Call<readonly Verdict[]>): Promise<readonly Verdict[]> {
    return this.#tallyOf(claim.policy)
      .reserve(claim, call)
      .then((reservation) => {
        const { verdict } = reservation;
        return verdict.allowed && !call.isOver ? [verdict] : this.goOn([{ claim, reservation }], call);
      });
  }

  async #hitAll(
    claims: readonly Claim[],
    mode: HitOptions["mode"],
    call: Call<readonly Verdict[]>,
  ): Promise<readonly Verdict[]> {
    this.#running++;
    try {
      return await this.#decide(claims, mode, call, 1);
    } finally {
      this.#running--;
    }
  }

  async #decide(
    claims: readonly Claim[],
    mode: HitOptions["mode"],
    call: Call<readonly Verdict[]>,
    from: number,
  ): Promise<readonly Verdict[]> {
    for (let attempt = from; ; attempt++) {
      const looksFirst = attempt > 1 || this.mayRefuse(claims);
      const known = looksFirst ? await this.#look(claims) : undefined;
      if (known !== undefined && this.#isRefused(known, mode)) return this.#refuse(known, call);
      const entries = await this.#reserve(claims, known, mode, call);
      if (call.isOver) return this.#takeBack(entries);
      const outcome = await this.#conclude(entries, mode, call, attempt);
      if (outcome !== undefined) return outcome;
    }
  }

  async test(claims: readonly Claim[]): Promise<Verdict[]> {
    return (await this.#look(claims)).map(({ verdict }) => verdict);
  }

  async #look(claims: readonly Claim[]): Promise<Entry[]> {
    const entries = await Promise.all(
      claims.map(async (claim) => ({ claim, verdict: await this.#tallyOf(claim.policy).test(claim) })),
    );
    this.#learn(entries);
    return entries;
  }

  /** Asks for everything at once: charges of limits, tests of meta claims and of limits known to refuse. */
  async #reserve(
    claims: readonly Claim[],
    known: readonly Entry[] | undefined,
    mode: HitOptions["mode"],
    call: Call<readonly Verdict[]>,
  ): Promise<Entry[]> {
    const results = await Promise.allSettled(
      claims.map(async (claim, i): Promise<Entry> => {
        const entry = known?.[i];
        const isFinal =
          entry !== undefined && (claim.role === "meta" || (mode === "each" && !entry.verdict.allowed));
        if (isFinal) return entry;
        const tally = this.#tallyOf(claim.policy);
        if (claim.role === "meta") return { claim, verdict: await tally.test(claim) };
        const reservation = await tally.reserve(claim, call);
        return { claim, verdict: reservation.verdict, reservation };
      }),
    );
    const entries = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const failure = results.find((result) => result.status === "rejected");
    if (failure === undefined) return entries;
    this.#undo(entries).catch(() => {});
    throw failure.reason;
  }

  /** `undefined` when it is worth another attempt. */
  async #conclude(
    entries: readonly Entry[],
    mode: HitOptions["mode"],
    call: Call<readonly Verdict[]>,
    attempt: number,
  ): Promise<readonly Verdict[] | undefined> {
    this.#learn(entries);
    const isBarred = entries.some(isBar);
    if (!isBarred && !entries.some(isRefusedLimit)) return answer(entries, call);
    if (!isBarred && mode === "each") {
      // The others are charged for good: the decision stands however long it takes to tidy up.
      call.decided(entries.map(({ verdict }) => verdict));
      const refused = entries.filter(isRefusedLimit);
      const [verdicts] = await Promise.all([this.#refuse(entries, call), this.#undo(refused)]);
      return verdicts;
    }
    // One that is alone was refused by what is there, a list perhaps by another that is given back.
    const mayRetry = !isBarred && entries.length > 1 && this.#running > 1 && attempt < MOST_ATTEMPTS;
    const untouched = entries.map(({ claim, reservation, verdict }) => ({
      claim,
      verdict: reservation?.before() ?? verdict,
    }));
    if (!mayRetry) {
      const [verdicts] = await Promise.all([this.#refuse(untouched, call), this.#undo(entries)]);
      return verdicts;
    }
    call.decided(untouched.map(({ verdict }) => verdict));
    await this.#undo(entries);
    return call.isOver ? this.#refuse(untouched, call) : undefined;
  }

  #isRefused(entries: readonly Entry[], mode: HitOptions["mode"]): boolean {
    return entries.some(isBar) || (mode === "all" && entries.some(isRefusedLimit));
  }

  /** Charges the meta claims that follow a refused limit, unless one of them is the reason. */
  async #refuse(entries: readonly Entry[], call: Call<readonly Verdict[]>): Promise<readonly Verdict[]> {
    if (entries.some(isBar)) return answer(entries, call);
    const refused = entries.filter(isRefusedLimit).map(({ claim }) => claim);
    const charged = await Promise.all(
      entries.map(async (entry): Promise<Entry> => {
        const { claim } = entry;
        if (!followsOneOf(refused, claim)) return entry;
        const reservation = await this.#tallyOf(claim.policy).reserve(claim, call);
        const wasRefused = !reservation.verdict.allowed;
        if (wasRefused) await reservation.undo();
        const verdict = wasRefused ? reservation.before() : reservation.after();
        // It did not refuse now; its wait says whether it will.
        return { claim, verdict: { ...verdict, allowed: true } };
      }),
    );
    this.#learn(charged);
    return answer(charged, call);
  }

  /** Whoever waited was told that it is late. */
  async #takeBack(entries: readonly Entry[]): Promise<readonly Verdict[]> {
    await this.#undo(entries);
    return entries.map(({ verdict }) => verdict);
  }

  async #undo(entries: readonly Entry[]): Promise<void> {
    await Promise.all(
      entries.map(({ reservation }) => (reservation?.isHeld ? reservation.undo() : undefined)),
    );
  }

  #learn(entries: readonly Entry[]): void {
    const now = this.#time().now();
    for (const { claim, verdict } of entries) this.full.learn(claim, verdict, now);
  }
}

function entryOf({ claim, reservation }: ReservedClaim): Entry {
  return { claim, verdict: reservation.verdict, reservation };
}

function isHopeless({ role, cost, policy }: Claim): boolean {
  return role === "limit" && cost > policy.capacity;
}

/** A meta claim that refuses: nothing may be charged. */
function isBar({ claim, verdict }: Entry): boolean {
  return claim.role === "meta" && !verdict.allowed;
}

function isRefusedLimit({ claim, verdict }: Entry): boolean {
  return claim.role === "limit" && !verdict.allowed;
}

function answer(entries: readonly Entry[], call: Call<readonly Verdict[]>): readonly Verdict[] {
  const verdicts = entries.map(({ verdict }) => verdict);
  call.decided(verdicts);
  return verdicts;
}
