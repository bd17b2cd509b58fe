// Requests of different weight: a page costs 1, an export as much as it has rows.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter();
const rowsOf = (req) => Math.max(1, Number.parseInt(req.query.rows ?? "1", 10) || 1);
const budget = { scope: "rows" };

app.get("/page", limiter.sharedLimit("100 per hour", budget), (req, res) => {
  res.json(req.rateLimit);
});
app.get("/export", limiter.sharedLimit("100 per hour", { ...budget, cost: rowsOf }), (req, res) => {
  res.json(req.rateLimit);
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
