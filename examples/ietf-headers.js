// The headers of the IETF draft, with every limit by name, instead of the X-RateLimit ones.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter({ standardHeaders: "ietf", headersEnabled: false });

const burst = limiter.limit("2 per minute", { name: "burst" });
const daily = limiter.limit("100 per day", { name: "daily" });

app.get("/", burst, daily, (_req, res) => {
  res.send("See the RateLimit and RateLimit-Policy headers.");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
