// Clients that are never limited, and clients that get nothing at all: addresses, networks, keys, functions.
import express from "express";
import { byHeader, Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter({
  defaultLimits: "1 per minute",
  keyFunc: byHeader("x-api-key"),
  allowList: ["10.0.0.0/8", "key-of-our-monitor"],
  denyList: [(req) => req.get("user-agent") === "EvilBot/1.0"],
});

app.use(limiter.middleware());

app.get("/", (_req, res) => {
  res.send("hello");
});
app.get("/trap", async (_req, res) => {
  await limiter.deny("key-of-a-scraper", { for: "1h" });
  res.send("The scraper gets 403 for an hour.");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
