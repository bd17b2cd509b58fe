// Servers of our own: on a free port, keeping nothing, ended by their process.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** Is there such a program? */
export const isInstalled = (program, versionFlag = "--version") =>
  spawnSync(program, [versionFlag]).error === undefined;

export async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

async function listens(port) {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function start(program, args, port) {
  const child = spawn(program, args, { stdio: "ignore", cwd: tmpdir() });
  const stop = () => child.kill("SIGKILL");
  process.once("exit", stop);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
  for (let tries = 0; !(await listens(port)); tries++) {
    if (tries > 200 || child.exitCode !== null) throw new Error(`${program} does not start.`);
    await sleep(25);
  }
  return { port, stop, cpuUs: () => cpuUsOf(child.pid) };
}

/** CPU time that a process has used so far, all its threads together; NaN where the system does not tell. */
function cpuUsOf(pid) {
  try {
    const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) =>
      Number.parseInt(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8"), 10),
    );
    return nanoseconds.reduce((sum, ns) => sum + ns, 0) / 1000;
  } catch {
    return Number.NaN;
  }
}

export async function startRedis() {
  const port = await freePort();
  const nothingKept = ["--save", "", "--appendonly", "no"];
  return start("redis-server", ["--bind", "127.0.0.1", "--port", `${port}`, ...nothingKept], port);
}

export async function startMemcached() {
  const port = await freePort();
  // It refuses to be root unless it is told so.
  const user = process.getuid?.() === 0 ? ["-u", "root"] : [];
  const quiet = ["-l", "127.0.0.1", "-p", `${port}`, "-U", "0", "-t", "1", "-m", "256"];
  return start("memcached", [...quiet, ...user], port);
}
