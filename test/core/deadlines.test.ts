import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { Deadlines, Expiring } from "../../src/core/deadlines.js";

/** A timer may be as late as that on a machine that does other things too. */
const SLACK_MS = 40;

/** Turns of a busy event loop are so long. */
const TURN_MS = 25;

class Item extends Expiring {
  expiredAt: number | undefined;
  reason: Error | undefined;

  expire(reason?: Error): void {
    this.expiredAt = performance.now();
    this.reason = reason;
  }
}

function standStill(ms: number): void {
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt);
}

const late = () => new Error("late");

/** Both ends of a connection of this process to itself. */
async function connection() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const near = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [far] = await once(server, "connection");
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
}

describe("Deadlines", () => {
  it("give up each item at its own time, and none that has left", async () => {
    const deadlines = new Deadlines();
    const startedAt = performance.now();
    const items = [60, 20, 40, 20].map((ms) => new Item(startedAt + ms));
    for (const item of items) deadlines.add(item);
    deadlines.delete(items[3]!);
    await sleep(60 + SLACK_MS);
    for (const { deadlineAt, expiredAt = 0 } of items.slice(0, 3)) {
      expect(expiredAt).toBeGreaterThanOrEqual(deadlineAt);
      expect(expiredAt).toBeLessThan(deadlineAt + SLACK_MS);
    }
    expect(items[3]!.expiredAt).toBeUndefined();
  });

  it("take items while others are given up", async () => {
    const deadlines = new Deadlines();
    const second = new Item(0);
    const first = new (class extends Item {
      override expire(): void {
        super.expire();
        second.deadlineAt = performance.now() + 20;
        deadlines.add(second);
      }
    })(performance.now() + 20);
    deadlines.add(first);
    await expect.poll(() => second.expiredAt).toBeDefined();
    expect(second.expiredAt).toBeGreaterThanOrEqual(second.deadlineAt);
    expect(second.deadlineAt).toBeGreaterThan(first.deadlineAt);
  });

  it("forget nobody whose neighbour came and went while others were given up", async () => {
    const deadlines = new Deadlines();
    const deadlineAt = performance.now() + 60;
    const [passing, staying] = [new Item(deadlineAt), new Item(deadlineAt)];
    const first = new (class extends Item {
      override expire(): void {
        super.expire();
        deadlines.add(passing);
        deadlines.delete(passing);
      }
    })(performance.now() + 10);
    deadlines.add(first);
    await expect.poll(() => first.expiredAt, { interval: 1 }).toBeDefined();
    deadlines.add(staying);
    await expect.poll(() => staying.expiredAt).toBeDefined();
  });

  it("give up everything with a reason when they are closed", () => {
    const deadlines = new Deadlines();
    const items = [10, 1000].map((ms) => new Item(performance.now() + ms));
    for (const item of items) deadlines.add(item);
    const reason = new Error("closed");
    deadlines.close(reason);
    expect(items.map((item) => item.reason)).toEqual([reason, reason]);
  });

  it("race a promise: its value, its error, or what tells that it is late", async () => {
    const deadlines = new Deadlines();
    expect(await deadlines.race(Promise.resolve(1), 20, late)).toBe(1);
    await expect(deadlines.race(Promise.reject(new Error("its own")), 20, late)).rejects.toThrow("its own");
    await expect(deadlines.race(sleep(200), 20, late)).rejects.toThrow("late");
  });

  it("tell when nobody races any more, and wait no longer than they are asked to", async () => {
    const deadlines = new Deadlines();
    await deadlines.whenDone(1000);
    const races = [sleep(20), sleep(1000), Promise.reject(new Error("its own"))];
    const ended = Promise.allSettled(races.map((race) => deadlines.race(race, 60, late)));
    const startedAt = performance.now();
    await deadlines.whenDone(30);
    expect(performance.now() - startedAt).toBeLessThan(30 + SLACK_MS);
    await deadlines.whenDone(1000);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(59);
    expect(performance.now() - startedAt).toBeLessThan(70 + SLACK_MS);
    expect((await ended).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
  });

  it("hear what has arrived before they give up, however long the process stood still", async () => {
    const { near, far } = await connection();
    const deadlines = new Deadlines();
    for (const timeoutMs of [40, 48, 55, 100]) {
      const answer = deadlines.race(once(near, "data"), timeoutMs, late);
      far.write("answer");
      standStill(105);
      expect(String((await answer)[0])).toBe("answer");
    }
  });

  it("give grace for as long as the process stood still after the deadline", async () => {
    const deadlines = new Deadlines();
    const asked = (async () => {
      await turn();
      return sleep(15, "in time");
    })();
    const answer = deadlines.race(asked, 50, late);
    standStill(90);
    expect(await answer).toBe("in time");
  });

  it("give grace once, and 100 ms at most", async () => {
    const deadlines = new Deadlines();
    const item = new Item(performance.now() + 20);
    deadlines.add(item);
    standStill(400);
    const endedAt = performance.now();
    for (let i = 0; i < 20 && item.expiredAt === undefined; i++) {
      await turn();
      standStill(TURN_MS);
    }
    expect(item.expiredAt).toBeGreaterThanOrEqual(endedAt + 100);
    expect(item.expiredAt).toBeLessThan(endedAt + 100 + 2 * TURN_MS + SLACK_MS);
  });

  it("postpone once what has not set out, and nothing that is in time or has left", () => {
    const deadlines = new Deadlines();
    const now = performance.now();
    const [overdue, inTime, gone] = [new Item(now - 50), new Item(now + 1000), new Item(now - 50)];
    for (const item of [overdue, inTime, gone]) deadlines.add(item);
    deadlines.delete(gone);
    for (const item of [overdue, overdue, inTime, gone]) deadlines.postponeOverdue(item, now);
    deadlines.postponeOverdue(overdue, now + 80);
    expect([overdue, inTime, gone].map((item) => Math.round(item.deadlineAt - now))).toEqual([50, 1000, -50]);
    deadlines.close();
  });
});
