// A route's own limit replaces the default limits there; all other routes keep them.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter({ defaultLimits: "100 per hour" });

app.use(limiter.middleware());

app.get("/articles", (_req, res) => {
  res.send("100 per hour, the default");
});
app.get("/search", limiter.limit("10 per minute"), (_req, res) => {
  res.send("10 per minute, and no default");
});
app.post("/articles", limiter.limit("2 per minute", { overrideDefaults: false }), (_req, res) => {
  res.status(201).send("2 per minute and 100 per hour");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
