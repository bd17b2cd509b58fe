import express from "express";
import { Limiter, MemoryStorage } from "express-limits";
import { parseLimit, RateLimiter } from "express-limits/core";
import { ManualClock } from "express-limits/testing";
import { statuses } from "./statuses.js";

const limiter = new Limiter({ defaultLimits: ["2 per minute"], clock: new ManualClock() });
const app = express();
app.use(limiter.middleware());
app.get("/default", (_req, res) => res.send("42"));
app.get("/own", limiter.limit("1 per day"), (_req, res) => res.send("24"));
app.get("/ping", limiter.exempt, (_req, res) => res.send("PONG"));

const engine = new RateLimiter({ storage: new MemoryStorage() });
const decision = await engine.hit([parseLimit("1 per day")], "somebody");

const answers = {
  default: await statuses(app, "/default", 3),
  own: await statuses(app, "/own", 2),
  ping: await statuses(app, "/ping", 4),
  engine: decision.allowed,
};
console.log(JSON.stringify(answers));
