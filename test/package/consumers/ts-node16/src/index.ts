import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express, { type Express, type Request, type Response } from "express";
import { Limiter, MemoryStorage, type RateLimitExceeded } from "express-limits";
import { type Decision, parseLimit, RateLimiter } from "express-limits/core";
import { ManualClock } from "express-limits/testing";

async function statuses(app: Express, path: string, count: number): Promise<number[]> {
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const answers: number[] = [];
  for (let request = 0; request < count; request++) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    answers.push(answer.status);
  }
  server.closeAllConnections();
  server.close();
  return answers;
}

function buildApp(): Express {
  const limiter: Limiter = new Limiter({
    defaultLimits: ["2 per minute"],
    clock: new ManualClock(),
    keyFunc: (req: Request) => req.ip,
    onBreach: (_req, _res, breach: RateLimitExceeded) => console.error(breach.message),
  });
  const app = express();
  app.use(limiter.middleware());
  app.get("/default", (_req: Request, res: Response) => void res.send("42"));
  app.get("/own", limiter.limit("1 per day", { methods: ["GET"] }), (_req, res) => void res.send("24"));
  app.get("/ping", limiter.exempt, (_req, res) => void res.send("PONG"));
  return app;
}

async function main(): Promise<void> {
  const engine = new RateLimiter({ storage: new MemoryStorage() });
  const decision: Decision = await engine.hit([parseLimit("1 per day")], "somebody");
  const app = buildApp();
  const answers = {
    default: await statuses(app, "/default", 3),
    own: await statuses(app, "/own", 2),
    ping: await statuses(app, "/ping", 4),
    engine: decision.allowed,
  };
  console.log(JSON.stringify(answers));
}

void main();
