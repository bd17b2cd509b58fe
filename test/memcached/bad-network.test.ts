import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import { MemcachedStorage } from "../../src/memcached/index.js";
import { type Server, startMemcached } from "../helpers/servers.js";
import { startTcpProxy, type TcpProxy } from "../helpers/tcp-proxy.js";
import { newClaim } from "./claims.js";

let server: Server;
beforeAll(async () => {
  server = await startMemcached();
});
afterAll(() => server.stop());

let proxy: TcpProxy;
beforeEach(async () => {
  proxy = await startTcpProxy(server.port);
  onTestFinished(() => proxy.stop());
});

function open(port: number): MemcachedStorage {
  const storage = new MemcachedStorage(`memcached://127.0.0.1:${port}`, { commandTimeoutMs: 5000 });
  onTestFinished(() => storage.close());
  return storage;
}

describe.each(STRATEGY_NAMES)("MemcachedStorage over a bad network, by %s", (strategy) => {
  it.each(["crumbling", "slow"] as const)("is exact when the way is %s", async (kind) => {
    const storage = open(proxy.port);
    const claim = newClaim({ strategy, amount: 50, unit: "year", key: `${strategy}-${kind}` });
    proxy.weather = kind === "slow" ? { kind, delayMs: 15 } : { kind };
    const hits = await Promise.all(Array.from({ length: 80 }, () => storage.hit([claim], ALL_OR_NOTHING)));
    expect(hits.filter(([verdict]) => verdict?.allowed)).toHaveLength(50);
    proxy.weather = { kind: "fair" };
    await expect.poll(() => open(server.port).test([claim])).toMatchObject([{ remaining: 0 }]);
  });

  it("admits nothing twice when connections are reset, and charges all that it admitted", async () => {
    const storage = open(proxy.port);
    const claim = newClaim({ strategy, amount: 500, unit: "year", key: `${strategy}-reset` });
    await storage.hit([claim], ALL_OR_NOTHING);
    let [admitted, failed] = [1, 0];
    for (let resets = 0; resets < 5; resets++) {
      const storm = Promise.allSettled(
        Array.from({ length: 40 }, () => storage.hit([claim], ALL_OR_NOTHING)),
      );
      await new Promise(setImmediate);
      proxy.cut();
      for (const hit of await storm) hit.status === "fulfilled" ? admitted++ : failed++;
      await expect.poll(() => storage.check()).toBe(true);
    }
    expect(failed).toBeGreaterThan(0);
    const [verdict] = await open(server.port).test([claim]);
    const charged = 500 - (verdict?.remaining ?? 0);
    expect(charged).toBeGreaterThanOrEqual(admitted);
    expect(charged).toBeLessThanOrEqual(admitted + failed);
  });
});
