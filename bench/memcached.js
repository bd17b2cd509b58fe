// Memcached: decisions a second over a real server, beside the peers and a bare socket. Needs `memcached` on the PATH.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import Memcached from "memcached";
import { MemcachedStore } from "rate-limit-memcached";
import flexible from "rate-limiter-flexible";
import { alternate } from "./lib/alternate.js";
import { addresses } from "./lib/keys.js";
import { AMOUNT, HOUR_MS, limitText, windowsOf } from "./lib/limits.js";
import { number, spread, table, times } from "./lib/markdown.js";
import { choose } from "./lib/options.js";
import { figure, publish, skip } from "./lib/report.js";
import { ratio } from "./lib/stats.js";
import { importEntry, importRoot } from "./lib/subject.js";

const ROUNDS = choose(7, 2);
const SECONDS = choose(1, 0.3);
const keys = addresses(10_000);

/** A server of this bench alone, with one worker thread: the rest of the machine is the client's. */
async function startServer() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  const user = process.getuid?.() === 0 ? ["-u", "root"] : [];
  const server = spawn(
    "memcached",
    ["-l", "127.0.0.1", "-p", `${port}`, "-U", "0", "-t", "1", "-m", "256", ...user],
    { stdio: "ignore" },
  );
  await once(server, "spawn");
  process.once("exit", () => server.kill("SIGKILL"));
  await sleep(300);
  return port;
}

/** The floor: enough of a client to create or add, and to read value and time left. */
function bareSocket(port) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true }).setEncoding("latin1");
  let [waiting, buffered, outgoing] = [[], "", ""];
  socket.on("data", (chunk) => {
    buffered += chunk;
    for (;;) {
      const lineEnd = buffered.indexOf("\r\n");
      const valueEnd = lineEnd < 0 ? -1 : buffered.indexOf("\r\n", lineEnd + 2);
      if (valueEnd < 0) return;
      const value = Number(buffered.slice(lineEnd + 2, valueEnd));
      buffered = buffered.slice(valueEnd + 2);
      waiting.shift()(value);
    }
  });
  const flush = () => {
    socket.write(outgoing, "latin1");
    outgoing = "";
  };
  return (command) => {
    if (outgoing === "") process.nextTick(flush);
    outgoing += `${command}\r\n`;
    return new Promise((resolve) => waiting.push(resolve));
  };
}

async function candidatesOf(port) {
  const [{ RateLimiter }, { MemcachedStorage }] = [await importRoot(), await importEntry("./memcached")];
  const client = new Memcached(`127.0.0.1:${port}`);
  const ask = bareSocket(port);
  const uri = `memcached://127.0.0.1:${port}`;
  const ours = (server, count, strategy) => {
    const limiter = new RateLimiter({ storage: new MemcachedStorage(server), strategy });
    const limits = limitText(count);
    return (key) => limiter.hit(limits, key);
  };
  const store = (prefix, windowMs) => {
    const one = new MemcachedStore({ client, prefix });
    one.init({ windowMs });
    return one;
  };
  const flexibleOf = (keyPrefix, windowMs) =>
    new flexible.RateLimiterMemcache({
      storeClient: client,
      keyPrefix,
      points: AMOUNT,
      duration: windowMs / 1000,
    });
  const [single, limiter] = [store("s1:", HOUR_MS), flexibleOf("f1", HOUR_MS)];
  const stores = windowsOf(3).map(({ name, windowMs }) => store(`s3${name}:`, windowMs));
  const union = new flexible.RateLimiterUnion(
    ...windowsOf(3).map(({ name, windowMs }) => flexibleOf(`f3${name}`, windowMs)),
  );
  return [
    { name: "floor: bare socket, one `ma`", run: (key) => ask(`ma b:${key} N3600 J1 v t`) },
    { name: "express-limits, URI", run: ours(uri, 1) },
    { name: "express-limits, client of `memcached`", run: ours(client, 1) },
    { name: "rate-limit-memcached", run: (key) => single.increment(key) },
    { name: "rate-limiter-flexible", run: (key) => limiter.consume(key) },
    { name: "express-limits, URI, sliding-window-counter", run: ours(uri, 1, "sliding-window-counter") },
    { name: "express-limits, URI, token-bucket", run: ours(uri, 1, "token-bucket") },
    { name: "3 limits: express-limits, URI", run: ours(uri, 3) },
    { name: "3 limits: express-limits, client of `memcached`", run: ours(client, 3) },
    {
      name: "3 limits: rate-limit-memcached",
      run: (key) => Promise.all(stores.map((s) => s.increment(key))),
    },
    { name: "3 limits: rate-limiter-flexible, union", run: (key) => union.consume(key) },
  ];
}

/** So many askers, each asking again as soon as it is answered. */
async function load({ run }, inFlight, seconds) {
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const cpu = process.cpuUsage();
  let [decisions, at] = [0, Math.floor(Math.random() * keys.length)];
  const asker = async () => {
    while (performance.now() < endsAt) {
      at = (at + 1) % keys.length;
      await run(keys[at]);
      decisions++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, asker));
  const { user, system } = process.cpuUsage(cpu);
  return {
    perSecond: (decisions * 1000) / (performance.now() - startedAt),
    cpuUs: (user + system) / decisions,
  };
}

async function measure(candidates, inFlight) {
  for (const candidate of candidates) await load(candidate, 1, 0.05);
  for (const candidate of candidates) await load(candidate, inFlight, 0.5);
  const measured = await alternate(candidates, ROUNDS, (candidate) => load(candidate, inFlight, SECONDS));
  const floor = measured.get(candidates[0].name).perSecond;
  const rows = candidates.map(({ name }) => {
    const { perSecond, cpuUs } = measured.get(name);
    return [name, spread(perSecond), times(ratio(perSecond, floor)), spread(cpuUs, 1)];
  });
  const head = [`${inFlight} in flight`, "decisions a second", "of the floor", "CPU µs of the client"];
  return { measured, markdown: table(head, rows) };
}

async function main() {
  const candidates = await candidatesOf(await startServer());
  const alone = await measure(candidates, 1);
  const { measured, markdown } = await measure(candidates, 64);
  const speed = (name) => measured.get(name).perSecond;
  const better = (a, b) => (ratio(speed(a), speed(b)) > 1 ? speed(a) : speed(b));
  const one = better("rate-limit-memcached", "rate-limiter-flexible");
  const three = better("3 limits: rate-limit-memcached", "3 limits: rate-limiter-flexible, union");
  await publish({
    markdown: `memcached with one worker thread over loopback, ${number(keys.length)} keys.\n\n${alone.markdown}\n\n${markdown}`,
    figures: [
      figure("URI, of the better peer", ratio(speed("express-limits, URI"), one), { least: 6 }),
      figure("client, of the better peer", ratio(speed("express-limits, client of `memcached`"), one), {
        least: 1.8,
      }),
      figure(
        "3 limits over a URI, of the better peer",
        ratio(speed("3 limits: express-limits, URI"), three),
        {
          least: 6,
        },
      ),
    ],
  });
  process.exit(0);
}

if ((await importEntry("./memcached")) === undefined) await skip("the package has no entry ./memcached");
else await main();
