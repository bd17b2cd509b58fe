// Try a limit out before it bites: it counts and tells, but refuses nobody.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
export const wouldBeRefused = [];
const limiter = new Limiter();

limiter.on("breach", ({ req, error, observed }) => {
  if (observed) wouldBeRefused.push(`${req.path}: ${error.message}`);
});

app.get("/search", limiter.limit("1 per minute", { observe: true }), (req, res) => {
  res.json({ breached: req.rateLimit.breached });
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
