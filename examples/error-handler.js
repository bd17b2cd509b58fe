// Refusals go to the app's error handler, like every other error.
import express from "express";
import { Limiter, RateLimitExceeded } from "express-limits";

export const app = express();
const limiter = new Limiter({ defaultLimits: "1 per minute", passBreachToNext: true });

app.use(limiter.middleware());

app.get("/", (_req, res) => {
  res.send("hello");
});

app.use((err, _req, res, next) => {
  if (!(err instanceof RateLimitExceeded)) return next(err);
  res.status(err.status).json({ error: `Only ${err.message}.`, retryAfter: err.retryAfter });
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
