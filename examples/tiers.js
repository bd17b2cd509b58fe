// The plan decides the limit: a function is asked for every request.
import express from "express";
import { byHeader, Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter({ keyFunc: byHeader("x-api-key") });
const plans = new Map([
  ["ann-4711", "3 per minute"],
  ["bob-0815", "1 per minute"],
]);

const planLimit = limiter.limit(async (_req, _res, { key }) => plans.get(key) ?? "0 per minute");

app.get("/data", planLimit, (req, res) => {
  res.json({ plan: req.rateLimit.policy, remaining: req.rateLimit.remaining });
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
