// `npm run demo`: starts the quick start on a free port and asks it as a client would, so that one sees the
// limits work. Stays up until Ctrl-C; with --once it ends, and fails if an answer is not the promised one.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { app } from "./quick-start.js";

const REFUSED = (limit) =>
  '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n' +
  "<title>429 Too Many Requests</title>\n<h1>Too Many Requests</h1>\n" +
  `<p>${limit}</p>\n`;

// The defaults are "2 per minute" and "1 per second": the requests to /fast keep more than a second apart.
const TRANSCRIPT = [
  { about: 'GET /fast has the default limits, "2 per minute" and "1 per second".' },
  { path: "/fast", status: 200, body: "42" },
  { waitMs: 1100, path: "/fast", status: 200, body: "42" },
  { waitMs: 1100, path: "/fast", status: 429, body: REFUSED("2 per 1 minute") },
  { about: 'GET /slow has a limit of its own, "1 per day", instead of the defaults.' },
  { path: "/slow", status: 200, body: "24" },
  { path: "/slow", status: 429, body: REFUSED("1 per 1 day") },
  { about: "GET /ping is exempt." },
  ...new Array(4).fill({ path: "/ping", status: 200, body: "PONG" }),
];
const SHOWN_HEADERS = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"];

const COLORS = { bold: 1, dim: 2, red: 31, green: 32, cyan: 36 };
const hasColors = process.stdout.isTTY === true && !process.env.NO_COLOR;
const paint = (color, text) => (hasColors ? `\u001b[${COLORS[color]}m${text}\u001b[0m` : text);

async function ask(url, { status, body }) {
  const answer = await fetch(url);
  const text = await answer.text();
  console.log(`\n${paint("bold", `$ curl -i ${url}`)}`);
  console.log(paint(answer.ok ? "green" : "red", `HTTP/1.1 ${answer.status} ${answer.statusText}`));
  for (const name of SHOWN_HEADERS) {
    if (answer.headers.has(name)) console.log(paint("cyan", `${name}: ${answer.headers.get(name)}`));
  }
  console.log(`\n${text.trimEnd()}`);
  const isAsPromised = answer.status === status && text === body;
  if (!isAsPromised) console.log(paint("red", `\nPromised was: ${status} ${body}`));
  return isAsPromised;
}

async function play(origin) {
  let failures = 0;
  for (const { about, waitMs = 0, path, ...promised } of TRANSCRIPT) {
    if (about !== undefined) {
      console.log(`\n${paint("dim", `# ${about}`)}`);
      continue;
    }
    await sleep(waitMs);
    if (!(await ask(origin + path, promised))) failures++;
  }
  return failures;
}

const server = app.listen(0, "127.0.0.1");
await once(server, "listening");
const origin = `http://127.0.0.1:${server.address().port}`;
const close = () => {
  server.close();
  server.closeAllConnections();
};

console.log(`examples/quick-start.js listens on ${origin}`);
const failures = await play(origin);
if (failures > 0) {
  console.log(`\nNot as promised: ${failures} of the answers.`);
  process.exitCode = 1;
  close();
} else if (process.argv.includes("--once")) {
  console.log("\nEvery answer was as promised.");
  close();
} else {
  console.log(
    `\nEvery answer was as promised. The server stays up: try\n\n  curl -i ${origin}/fast\n\nCtrl-C ends it.`,
  );
  process.once("SIGINT", close);
}
