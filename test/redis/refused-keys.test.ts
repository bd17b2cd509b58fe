import { Limiter } from "express-limits";
import { expect, onTestFinished, test } from "vitest";
import { ask } from "../helpers/server-process.js";
import { type Server, startRedis } from "../helpers/servers.js";

const LOSSES: Readonly<Record<string, (server: Server) => Promise<unknown>>> = {
  "is gone": (server) => server.kill(),
  "is full": ({ port }) => ask(port, "CONFIG SET maxmemory 1mb\r\n"),
};

test.each(Object.entries(LOSSES))(
  "a key that is known to be exhausted makes no Redis that %s look well",
  async (_, lose) => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const limiter = new Limiter({ storageUri: server.uri, storageTimeout: 5000 });
    onTestFinished(() => limiter.close());
    const told: string[] = [];
    limiter.on("storageError", () => told.push("lost")).on("storageRecovered", () => told.push("back"));
    const hit = async (who: string) => (await limiter.hit("1 per hour", who)).allowed;
    expect([await hit("ann"), await hit("ann")]).toEqual([true, false]);
    await lose(server);
    // What is refused without asking says nothing about the server.
    for (let i = 0; i < 5; i++) {
      await expect(hit(`bob-${i}`)).rejects.toMatchObject({ code: "STORAGE" });
      await hit("ann").catch(() => {});
    }
    expect(told).toEqual(["lost"]);
  },
);
