import { spawn } from "node:child_process";
import { once } from "node:events";
import { build } from "esbuild";
import { afterEach, describe, expect, test } from "vitest";
import { startRedisCluster, startRedisSentinel } from "./redis-topologies.js";
import { ask, until } from "./server-process.js";
import { startMemcached, startRedis } from "./servers.js";

const started: { stop(): Promise<void> }[] = [];

/** Starts a server that ends with the test. */
async function use<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  started.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** JavaScript that starts a redis with these very helpers, prints its port and stays. */
async function programThatStartsRedis(): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents:
        'import { startRedis } from "./servers.js"; console.log((await startRedis()).port); setInterval(() => {}, 1e6);',
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node20",
  });
  return outputFiles[0]!.text;
}

const redis = {
  name: "redis",
  start: startRedis,
  store: "SET k stored\r\n",
  read: "GET k\r\n",
  ping: "PING\r\n",
};
const memcached = {
  name: "memcached",
  start: startMemcached,
  store: "set k 0 0 6\r\nstored\r\n",
  read: "get k\r\n",
  ping: "version\r\n",
};

describe.each([redis, memcached])("a $name for a test", ({ name, start, store, read, ping }) => {
  test("has a port and a uri of its own", async () => {
    const [one, other] = await Promise.all([use(start()), use(start())]);
    expect(one.port).not.toBe(other.port);
    expect(one.uri).toBe(`${name}://127.0.0.1:${one.port}`);
  });

  test("is gone after stop, and stopping twice does no harm", async () => {
    const server = await use(start());
    const { pid } = server;
    await server.stop();
    await server.stop();
    expect(isAlive(pid)).toBe(false);
    expect(() => server.pid).toThrow("does not run");
  });

  test("does not answer while paused, and does after resume", async () => {
    const server = await use(start());
    server.pause();
    const answer = ask(server.port, ping);
    const first = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 200, "silence"))]);
    expect(first).toBe("silence");
    server.resume();
    expect(await answer).toMatch(/PONG|VERSION/);
  });

  test("can be stopped while paused", async () => {
    const server = await use(start());
    server.pause();
    await server.stop();
    await expect(ask(server.port, ping)).rejects.toThrow("ECONNREFUSED");
  });

  test.each(["stop", "kill"] as const)("comes back empty, at the same port, after %s", async (end) => {
    const server = await use(start());
    await ask(server.port, store);
    expect(await ask(server.port, read)).toContain("stored");
    await server[end]();
    await expect(ask(server.port, ping)).rejects.toThrow("ECONNREFUSED");
    await server.restart();
    expect(await ask(server.port, read)).not.toContain("stored");
  });
});

test("a redis takes further arguments", async () => {
  const server = await use(startRedis({ args: ["--requirepass", "secret"] }));
  expect(await ask(server.port, "PING\r\n")).toMatch(/^-NOAUTH/);
});

test("a server that cannot start says why", async () => {
  await expect(startRedis({ args: ["--no-such-option", "1"] })).rejects.toThrow(
    /ended at once[\s\S]*no-such-option/,
  );
});

test("a server does not outlive the process that started it, even one that is killed", async () => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", await programThatStartsRedis()]);
  const [printed] = await once(child.stdout, "data");
  const port = Number(printed);
  expect(await ask(port, "PING\r\n")).toContain("PONG");
  child.kill("SIGKILL");
  const isGone = () =>
    ask(port, "PING\r\n").then(
      () => false,
      () => true,
    );
  await until("redis is gone", isGone);
});

test("a cluster has three masters that share the slots", async () => {
  const cluster = await use(startRedisCluster());
  expect(cluster.nodes).toHaveLength(3);
  const slots = await ask(cluster.nodes[2]!.port, "CLUSTER NODES\r\n");
  expect(slots.match(/master/g)).toHaveLength(3);
  expect(await ask(cluster.nodes[0]!.port, "SET other 1\r\n")).toMatch(/^(\+OK|-MOVED)/);
});

test("a sentinel names the replica when the master is gone", async () => {
  const { master, replica, sentinel, failOver } = await use(startRedisSentinel());
  const named = () => ask(sentinel.port, "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster\r\n");
  expect(await named()).toContain(`${master.port}`);
  await failOver();
  expect(await named()).toContain(`${replica.port}`);
});
