// What is never limited: a route, a whole router, and requests that a function picks.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter({ defaultLimits: "1 per minute" });
const internal = express.Router();

app.use(limiter.middleware());
limiter.requestFilter((req) => req.get("x-monitor") === "probe-7");

app.get("/", (_req, res) => {
  res.send("limited");
});
app.get("/health", limiter.exempt, (_req, res) => {
  res.send("ok");
});
internal.get("/metrics", (_req, res) => {
  res.send("requests 42");
});
app.use("/internal", limiter.exempt(internal));

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
