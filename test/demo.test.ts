import { type ChildProcessWithoutNullStreams, execSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** A process of its own resolves the package by name, so it runs what was built. */
beforeAll(() => {
  if (!existsSync(new URL("../dist/index.js", import.meta.url))) execSync("npm run build", { cwd: root });
}, 120_000);

interface Demo {
  readonly process: ChildProcessWithoutNullStreams;
  /** What it has printed so far. */
  output(): string;
  /** Resolves when it has printed this. */
  printed(text: string): Promise<void>;
  /** Resolves to the exit code. */
  ended(): Promise<number | null>;
}

function startDemo(...args: string[]): Demo {
  const child = spawn(process.execPath, ["examples/demo.js", ...args], { cwd: root });
  const ended = once(child, "close");
  let output = "";
  const append = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout.on("data", append);
  child.stderr.on("data", append);
  onTestFinished(() => void child.kill("SIGKILL"));
  return {
    process: child,
    output: () => output,
    async printed(text) {
      while (!output.includes(text)) {
        const [chunk] = await Promise.race([once(child.stdout, "data"), ended]);
        if (typeof chunk === "number") throw new Error(`The demo ended: ${output}`);
      }
    },
    ended: async () => (await ended)[0],
  };
}

/** Each request as the demo prints it: the path of the curl line, the status and the last line of the body. */
function transcript(output: string): string[] {
  const requests = output.matchAll(
    /\$ curl -i http:\/\/[^/]+(\S+)\nHTTP\/1.1 (\d+)[\s\S]*?\n\n([\s\S]*?)\n(?=\n)/g,
  );
  return [...requests].map(([, path, status, body]) => `${path} ${status} ${body?.split("\n").at(-1)}`);
}

describe("npm run demo", () => {
  it("plays the transcript with its headers, and ends with --once", async () => {
    const demo = startDemo("--once");
    expect(await demo.ended()).toBe(0);
    expect(transcript(demo.output())).toEqual([
      "/fast 200 42",
      "/fast 200 42",
      "/fast 429 <p>2 per 1 minute</p>",
      "/slow 200 24",
      "/slow 429 <p>1 per 1 day</p>",
      "/ping 200 PONG",
      "/ping 200 PONG",
      "/ping 200 PONG",
      "/ping 200 PONG",
    ]);
    expect(demo.output()).toContain("Every answer was as promised.");
    expect(demo.output()).toMatch(
      /HTTP\/1.1 429 Too Many Requests\nX-RateLimit-Limit: 2\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: \d{10}\nRetry-After: \d+\n/,
    );
    // No colors where nobody sees them.
    expect(demo.output()).not.toContain("\u001b[");
  });

  it("leaves the server up until it is interrupted", async () => {
    const demo = startDemo();
    await demo.printed("Ctrl-C ends it.");
    const [origin] = /http:\/\/127\.0\.0\.1:\d+/.exec(demo.output()) ?? [];
    expect(await (await fetch(`${origin}/ping`)).text()).toBe("PONG");
    demo.process.kill("SIGINT");
    expect(await demo.ended()).toBe(0);
  });
});
