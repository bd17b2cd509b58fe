import { setTimeout as sleep } from "node:timers/promises";
import type { StrategyName } from "express-limits";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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
    let subject: Subject | undefined;
    const apps: LoadedApp[] = [];

    beforeAll(async () => {
      subject = await outage.start();
      for (const inMemoryFallbackEnabled of [false, true]) {
        apps.push(await openApp(subject.storageUri, outage, inMemoryFallbackEnabled));
      }
      story = await play(outage, subject, apps as [LoadedApp, LoadedApp]);
    }, 40_000);

    afterAll(async () => {
      await Promise.all(apps.map((app) => app.close()));
      await subject?.stop();
    });

    it("answers every request within its deadline", () => {
      for (const app of apps) {
        expect(app.statuses).not.toContain(0);
        expect(Math.max(...app.served.map((one) => waitMs(one, story.stalls)))).toBeLessThan(
          DEADLINE_MS + SLACK_MS,
        );
      }
    });

    it("answers 503, or by memory where it is to fall back, and nothing else", () => {
      expect(new Set(story.strict.statuses)).toEqual(new Set([200, 503]));
      expect(new Set(story.lenient.statuses)).toEqual(new Set([200]));
      expect(story.lenient.served.some(({ remaining = 0 }) => remaining >= SPENT_BEFORE)).toBe(true);
    });

    it("has charged what it admitted, and nothing that timed out", () => {
      for (const app of apps) expectCharges(outage, app, story);
    });

    it("tells of the loss and of the return once each", () => {
      for (const { told } of apps) expect(told.map(({ event }) => event)).toEqual(["lost", "back"]);
    });

    it("counts in the storage again from the next probe on", () => {
      for (const { told } of apps) {
        const [lostAt = 0, backAt = 0] = told.map(({ at }) => at);
        expect(backAt - lostAt).toBeLessThan(latestReturnMs(outage, story.mendedAt - lostAt));
      }
    });
  });
}

async function openApp(
  storageUri: string,
  { strategies }: Outage,
  inMemoryFallbackEnabled: boolean,
): Promise<LoadedApp> {
  const keyPrefix = inMemoryFallbackEnabled ? "lenient" : "strict";
  const limiter = { storageUri, storageTimeout: DEADLINE_MS, keyPrefix, inMemoryFallbackEnabled };
  const app = new LoadedApp({ limiter, strategies });
  await app.listen();
  // The storage's code is loaded, and the connection is made.
  await until("the storage is there", async () => {
    const { allowed } = await app.limiter.hit("1 per second", `${performance.now()}`);
    return allowed && (await app.limiter.peek("127.0.0.1")).length === 0;
  });
  await app.ask({ "x-cost": `${SPENT_BEFORE}` });
  expect(await app.used()).toEqual([SPENT_BEFORE, SPENT_BEFORE]);
  app.told.length = 0;
  app.served.length = 0;
  return app;
}

async function play(
  outage: Outage,
  subject: Subject,
  apps: readonly [LoadedApp, LoadedApp],
): Promise<Story> {
  const stalls = new LoopStalls();
  for (const app of apps) app.load();
  await servedMore(apps);
  const brokenAt = performance.now();
  await subject.breakIt();
  await until("both have noticed", async () => apps.every(({ told }) => told.length > 0));
  await sleep((outage.lastsMs ?? 0) - (performance.now() - brokenAt));
  await subject.mend();
  const mendedAt = performance.now();
  await until("both are back", async () => apps.every(({ told }) => told.length > 1));
  await servedMore(apps);
  await Promise.all(apps.map((app) => app.unload()));
  stalls.stop();
  const used = new Map<LoadedApp, readonly number[]>();
  for (const app of apps) used.set(app, await settledUse(outage, app));
  return { strict: apps[0], lenient: apps[1], stalls, mendedAt, used };
}

async function servedMore(apps: readonly LoadedApp[]): Promise<void> {
  const before = apps.map(({ served }) => served.length);
  await until("requests are served", async () =>
    apps.every(({ served }, i) => served.length >= (before[i] ?? 0) + CALM_REQUESTS),
  );
}

/** What is given back late takes a moment. What never becomes right is given as it is. */
async function settledUse(outage: Outage, app: LoadedApp): Promise<number[]> {
  const expected = toldByServer(outage, app);
  let used = await app.used();
  for (let i = 0; i < 50 && used.some((one) => one !== expected); i++) {
    await sleep(20);
    used = await app.used();
  }
  return used;
}

/** How much the server has told clients to be charged, by what they were answered. */
function toldByServer({ counts }: Outage, { served, told }: LoadedApp): number {
  const admitted = served.filter(({ remaining }) => remaining !== undefined);
  if (counts === "forgotten") {
    const backAt = told.at(-1)?.at ?? 0;
    return admitted.filter(({ arrivedAt }) => arrivedAt >= backAt).length;
  }
  return SPENT_BEFORE + admitted.filter(({ remaining = 0 }) => remaining < SPENT_BEFORE).length;
}

function expectCharges(outage: Outage, app: LoadedApp, { used }: Story): void {
  const expected = toldByServer(outage, app);
  const [first = -1, second = -1] = used.get(app) ?? [];
  if (outage.counts !== "unheard") {
    expect([first, second]).toEqual([expected, expected]);
    return;
  }
  const unanswered = app.served.filter(({ remaining = AMOUNT }) => remaining >= SPENT_BEFORE).length;
  for (const one of [first, second]) {
    expect(one).toBeGreaterThanOrEqual(expected);
    expect(one).toBeLessThanOrEqual(expected + unanswered);
  }
}

/** What this process stood still after the deadline, on a machine that does other things too, is nobody's fault. */
function waitMs(
  { arrivedAt, answeredAt = Number.POSITIVE_INFINITY }: LoadedApp["served"][number],
  stalls: LoopStalls,
): number {
  return answeredAt - arrivedAt - stalls.msBetween(arrivedAt + DEADLINE_MS, answeredAt);
}

/** Probes come 1, 2, 4, … seconds after each other, and take as long as a check and a hit may take. */
function latestReturnMs({ reconnects = false }: Outage, mendedAfterMs: number): number {
  let [probeAt, pauseMs] = [1000, 1000];
  const next = () => {
    pauseMs *= 2;
    probeAt += 2 * DEADLINE_MS + pauseMs;
  };
  while (probeAt < mendedAfterMs) next();
  if (reconnects) next();
  return probeAt + 2 * DEADLINE_MS;
}
