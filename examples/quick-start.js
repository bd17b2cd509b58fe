// Default limits for every route, one route with its own limit, one without any.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter({ defaultLimits: ["2 per minute", "1 per second"] });

app.use(limiter.middleware());

app.get("/slow", limiter.limit("1 per day"), (_req, res) => {
  res.send("24");
});
app.get("/fast", (_req, res) => {
  res.send("42");
});
app.get("/ping", limiter.exempt, (_req, res) => {
  res.send("PONG");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
