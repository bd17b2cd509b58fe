// Several limits on one route: all are charged, or none. A refused request costs nothing of the daily budget.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter();

app.get("/search", limiter.limit("2 per minute; 100 per day"), (req, res) => {
  res.json(limiter.currentLimits(req).map(({ limit, remaining }) => `${remaining} left of ${limit}`));
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
