import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const START_TIMEOUT_MS = 10_000;

/** A real server of this test alone, on 127.0.0.1, that keeps nothing on disk. */
export interface Server {
  readonly port: number;
  /** For a storage's `storageUri`, and for clients. */
  readonly uri: string;
  /** Changes with `restart()`. */
  readonly pid: number;
  /** Ends it and removes its files. Without effect when it has ended. */
  stop(): Promise<void>;
  /** Freezes it (SIGSTOP): connections stay open and nothing answers. */
  pause(): void;
  /** Lets it go on after `pause()`. */
  resume(): void;
  /** Ends it as a crash would (SIGKILL) and keeps its files. `restart()` brings it back. */
  kill(): Promise<void>;
  /** Ends it if it runs and starts it again, empty, on the same port. */
  restart(): Promise<void>;
}

export interface ServerProcessOptions {
  readonly port: number;
  readonly uri: string;
  readonly program: string;
  readonly args: readonly string[];
  /** What to ask a server that has started, and what it then says. */
  readonly greeting: { readonly send: string; readonly expect: RegExp };
  /** Files it needs, by name, written before each start. */
  readonly files?: Readonly<Record<string, string>>;
  /** Where they are and where it works. Removed with it. */
  readonly folder: string;
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("No free port.");
  return address.port;
}

/** Sends a line to a server and gives the first bytes of its answer. */
export async function ask(port: number, line: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  try {
    socket.write(line);
    const [answer] = await once(socket, "data", { signal: AbortSignal.timeout(2_000) });
    return String(answer);
  } finally {
    socket.destroy();
  }
}

/** Asks again and again until the answer is good; throws what went wrong last when it takes too long. */
export async function until(
  what: string,
  isGood: () => Promise<boolean>,
  withinMs = START_TIMEOUT_MS,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  let lastError: unknown;
  while (Date.now() < deadline) {
    try {
      if (await isGood()) return;
    } catch (error) {
      lastError = error;
    }
    await sleep(20);
  }
  throw new Error(`${what}: not within ${withinMs} ms.`, { cause: lastError });
}

/**
 * Kills `pid` and removes its folder when this process is gone, however it went: the shell reads from a pipe that
 * closes with us. Returns what calls it off.
 */
function endWhenWeAreGone(pid: number, folder: string): () => void {
  const script = 'read -r _; kill -9 "$0"; rm -rf "$1"';
  const guard = spawn("sh", ["-c", script, `${pid}`, folder], { stdio: ["pipe", "ignore", "ignore"] });
  guard.unref();
  return () => guard.kill("SIGKILL");
}

/** A child process that is a server, from its start to its end. */
export class ServerProcess implements Server {
  readonly port: number;
  readonly uri: string;
  readonly #options: ServerProcessOptions;
  #child: ChildProcess | undefined;
  #output = "";

  constructor(options: ServerProcessOptions) {
    this.port = options.port;
    this.uri = options.uri;
    this.#options = options;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.#options.program} does not run.`);
    return pid;
  }

  /** Resolves when the server answers. */
  async start(): Promise<void> {
    const { program, args, greeting, folder } = this.#options;
    this.#writeFiles();
    const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.#output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        this.#output += chunk;
      });
    }
    child.once("exit", () => {
      this.#child = undefined;
    });
    await once(child, "spawn");
    child.once("exit", endWhenWeAreGone(this.pid, folder));
    await until(`${program} answers`, async () => {
      if (this.#child === undefined) return true;
      return greeting.expect.test(await ask(this.port, greeting.send));
    });
    if (this.#child !== undefined) return;
    await this.stop();
    throw new Error(`${program} ended at once:\n${this.#output}`);
  }

  #writeFiles(): void {
    const { folder, files = {} } = this.#options;
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#options.folder, { recursive: true, force: true });
  }

  pause(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  resume(): void {
    process.kill(this.pid, "SIGCONT");
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, "exit");
    // Nothing is to be saved, and SIGKILL also ends what is paused. memcached takes a second for SIGTERM.
    child.kill("SIGKILL");
    await exited;
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }
}
