// Decide inside a handler, where it suits: check() throws what the error handler answers.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter({ defaultLimits: "1 per minute" });

app.get("/report", async (req, res) => {
  if (req.query.cached === "yes") return res.send("from the cache, for free");
  await limiter.check(req, res);
  res.send("fresh");
});

app.use((err, _req, res, _next) => {
  res.status(err.status ?? 500).send(err.message);
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
