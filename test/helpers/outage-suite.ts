import { setTimeout as sleep } from "node:timers/promises";
import type { StrategyName } from "express-limits";
import { beforeAll, describe, expect, it } from "vitest";
import { AMOUNT, LoadedApp } from "./loaded-app.js";
import { LoopStalls } from "./loop-stalls.js";
import { until } from "./server-process.js";

/** A server that can be broken and mended, and how a storage gets there. */
export interface Subject {
  readonly storageUri: string;
  breakIt(): Promise<void> | void;
  mend(): Promise<void> | void;
  stop(): Promise<void>;
}

export interface Outage {
  /** What happens to the server, in the present tense. */
  readonly fault: string;
  start(): Promise<Subject>;
  /** At least as long: until both limiters have noticed in any case. @default 0 */
  readonly lastsMs?: number;
  /**
   * The counts afterwards. `"kept"`: what was told, exactly. `"forgotten"`: they begin anew. `"unheard"`: what was
   * on its way may be counted although its answer was lost.
   */
  readonly counts: "kept" | "forgotten" | "unheard";
  /** The client takes its time to connect again, and may miss a probe. @default false */
  readonly reconnects?: boolean;
  /** Of the two limits that are decided together. */
  readonly strategies: readonly [StrategyName, StrategyName];
}

const DEADLINE_MS = 300;
const SLACK_MS = 50;

/** Charged before: an answer with less than this left was decided by the server, one with more by memory. */
const SPENT_BEFORE = AMOUNT / 2;

/** Requests before, and after, the outage. */
const CALM_REQUESTS = 200;

/** A probe that was missed on a busy machine is followed by one after twice as long. */
const LONGEST_RETURN_MS = 20_000;

/** A process that stood still for longer may have lost a storage that was well, or what it was answered. */
const LONGEST_STALL_MS = DEADLINE_MS / 2;
const MOST_PLAYS = 3;

interface Range {
  readonly least: number;
  readonly most: number;
}

/** What happened, and when. */
interface Story {
  readonly strict: LoadedApp;
  readonly lenient: LoadedApp;
  readonly stalls: LoopStalls;
  readonly mendedAt: number;
  /** Of each limit, as it is at the end. */
  readonly used: ReadonlyMap<LoadedApp, readonly number[]>;
}

/**
 * Plays an outage under load, with 64 clients of an app without a fallback and 64 of one that falls back to memory,
 * and tests what is promised of it.
 */
export function outageSuite(outage: Outage): void {
  describe(`when ${outage.fault}, under load, a limiter`, () => {
    let story: Story;
    let apps: readonly LoadedApp[];

    beforeAll(async () => {
      story = await playUndisturbed(outage);
      apps = [story.strict, story.lenient];
    }, 60_000);

    it("answers every request within its deadline", () => {
      for (const app of apps) {
        expect(app.statuses).not.toContain(0);
        expect(longestWaitMs(app, story)).toBeLessThan(DEADLINE_MS + SLACK_MS);
      }
    });

    it("answers 503, or by memory where it is to fall back, and nothing else", () => {
      expect(new Set(story.strict.statuses)).toEqual(new Set([200, 503]));
      expect(new Set(story.lenient.statuses)).toEqual(new Set([200]));
      expect(story.lenient.served.some(({ remaining = 0 }) => remaining >= SPENT_BEFORE)).toBe(true);
    });

    it("has charged what it admitted, and nothing that timed out", () => {
      for (const app of apps) {
        const { least, most } = chargedBetween(outage, app, story);
        const [first = -1, second = -1] = story.used.get(app) ?? [];
        expect(second).toBe(first);
        expect(first).toBeGreaterThanOrEqual(least);
        expect(first).toBeLessThanOrEqual(most);
      }
    });

    it("tells of the loss and of the return once each", () => {
      for (const { told } of apps) expect(told.map(({ event }) => event)).toEqual(["lost", "back"]);
    });

    it("counts in the storage again from the next probe on", () => {
      for (const app of apps) expect(awayMs(app)).toBeLessThan(latestReturnMs(outage, app, story));
    });
  });
}

/** Plays it again when the machine was too busy for it. */
async function playUndisturbed(outage: Outage): Promise<Story> {
  for (let plays = 1; ; plays++) {
    const story = await stage(outage);
    const isDisturbed = story.stalls.longestMs > LONGEST_STALL_MS && !isAsPromised(outage, story);
    if (!isDisturbed || plays === MOST_PLAYS) return story;
  }
}

function isAsPromised(outage: Outage, story: Story): boolean {
  return [story.strict, story.lenient].every((app) => {
    const used = story.used.get(app) ?? [];
    const isExact = app.told.length === 2 && isWithin(used, chargedBetween(outage, app, story));
    const isInTime = longestWaitMs(app, story) < DEADLINE_MS + SLACK_MS;
    return isExact && isInTime && awayMs(app) < latestReturnMs(outage, app, story);
  });
}

/** Plays it with a server and apps of its own, which are gone afterwards. */
async function stage(outage: Outage): Promise<Story> {
  const subject = await outage.start();
  const strict = openApp(subject.storageUri, outage, false);
  const lenient = openApp(subject.storageUri, outage, true);
  try {
    for (const app of [strict, lenient]) await makeReady(app);
    return await play(outage, subject, strict, lenient);
  } finally {
    await Promise.all([strict.close(), lenient.close()]);
    await subject.stop();
  }
}

function openApp(storageUri: string, { strategies }: Outage, inMemoryFallbackEnabled: boolean): LoadedApp {
  const keyPrefix = inMemoryFallbackEnabled ? "lenient" : "strict";
  const limiter = { storageUri, storageTimeout: DEADLINE_MS, keyPrefix, inMemoryFallbackEnabled };
  return new LoadedApp({ limiter, strategies });
}

/** What it says comes from the storage, and not from memory. */
const isWell = ({ told }: LoadedApp): boolean => told.at(-1)?.event !== "lost";

/** The storage's code is loaded, the connection is made, and half of the limits is spent. */
async function makeReady(app: LoadedApp): Promise<void> {
  await app.listen();
  await until("half of the limits is spent", async () => {
    await app.limiter.clear("127.0.0.1");
    await app.ask({ "x-cost": `${SPENT_BEFORE}` });
    const used = await app.used();
    return isWell(app) && used.length === 2 && used.every((one) => one === SPENT_BEFORE);
  });
  app.told.length = 0;
  app.served.length = 0;
}

async function play(outage: Outage, subject: Subject, strict: LoadedApp, lenient: LoadedApp): Promise<Story> {
  const apps = [strict, lenient];
  const stalls = new LoopStalls();
  for (const app of apps) app.load();
  await servedMore(apps);
  const brokenAt = performance.now();
  await subject.breakIt();
  await until("both have noticed", async () => apps.every(({ told }) => told.length > 0));
  await sleep((outage.lastsMs ?? 0) - (performance.now() - brokenAt));
  await subject.mend();
  const mendedAt = performance.now();
  const areBack = async () => apps.every(({ told }) => told.at(-1)?.event === "back");
  await until("both are back", areBack, LONGEST_RETURN_MS);
  await servedMore(apps);
  await Promise.all(apps.map((app) => app.unload()));
  stalls.stop();
  const used = new Map<LoadedApp, readonly number[]>();
  for (const app of apps) used.set(app, await settledUse(app, chargedBetween(outage, app, { strict })));
  return { strict, lenient, stalls, mendedAt, used };
}

async function servedMore(apps: readonly LoadedApp[]): Promise<void> {
  const before = apps.map(({ served }) => served.length);
  await until("requests are served", async () =>
    apps.every(({ served }, i) => served.length >= (before[i] ?? 0) + CALM_REQUESTS),
  );
}

/** What is given back late takes a moment. What never becomes right is given as it is. */
async function settledUse(app: LoadedApp, charged: Range): Promise<readonly number[]> {
  let used: readonly number[] = [];
  for (let i = 0; i < 100 && !isWithin(used, charged); i++) {
    if (i > 0) await sleep(20);
    // It may be lost once more on a busy machine; then it says nothing, or what memory says.
    const counted = await app.used().catch(() => used);
    if (isWell(app)) used = counted;
  }
  return used;
}

/** Requests that were admitted, by what their first limit had left. */
function admitted({ served }: LoadedApp, hasRoom: (remaining: number) => boolean): number {
  return served.filter(({ remaining }) => remaining !== undefined && hasRoom(remaining)).length;
}

/** At least, and at most, so much must be charged by what clients were answered. */
function chargedBetween({ counts }: Outage, app: LoadedApp, { strict }: Pick<Story, "strict">): Range {
  const before = SPENT_BEFORE + admitted(app, (remaining) => remaining < SPENT_BEFORE);
  const after = admitted(app, (remaining) => remaining >= SPENT_BEFORE);
  if (counts === "kept") return { least: before, most: before };
  if (counts === "unheard") {
    const unanswered = app.served.length - (before - SPENT_BEFORE);
    return { least: before, most: before + unanswered };
  }
  // The one that falls back cannot tell memory from a server that begins anew, until it says that this is back.
  const backAt = app === strict ? 0 : (app.told.at(-1)?.at ?? 0);
  const least = app.served.filter(
    ({ arrivedAt, remaining = 0 }) => arrivedAt >= backAt && remaining >= SPENT_BEFORE,
  );
  return { least: least.length, most: after };
}

function isWithin(used: readonly number[], { least, most }: Range): boolean {
  return used.length === 2 && used.every((one) => one >= least && one <= most);
}

/** What this process stood still after the deadline, on a machine that does other things too, is nobody's fault. */
function longestWaitMs({ served }: LoadedApp, { stalls }: Story): number {
  const waits = served.map(({ arrivedAt, answeredAt = Number.POSITIVE_INFINITY }) => {
    return answeredAt - arrivedAt - stalls.msBetween(arrivedAt + DEADLINE_MS, answeredAt);
  });
  return Math.max(...waits);
}

/** From the loss to the return. */
function awayMs({ told }: LoadedApp): number {
  const [lostAt = 0, backAt = Number.POSITIVE_INFINITY] = told.map(({ at }) => at);
  return backAt - lostAt;
}

/** Probes come 1, 2, 4, … seconds after each other, and take as long as a check and a hit may take. */
function latestReturnMs({ reconnects = false }: Outage, { told }: LoadedApp, { mendedAt }: Story): number {
  const mendedAfterMs = mendedAt - (told[0]?.at ?? 0);
  let [probeAt, pauseMs] = [1000, 1000];
  const next = () => {
    pauseMs *= 2;
    probeAt += 2 * DEADLINE_MS + pauseMs;
  };
  while (probeAt < mendedAfterMs) next();
  if (reconnects) next();
  return probeAt + 2 * DEADLINE_MS;
}
