// Counters in Redis: all processes that run this file count together. Needs "npm install ioredis".
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
export const limiter = new Limiter({
  defaultLimits: "3 per minute",
  storageUri: process.env.REDIS_URL ?? "redis://localhost:6379",
  inMemoryFallbackEnabled: true, // while Redis is away, each process counts for itself
});

limiter.on("storageError", ({ error }) => console.warn(`Counting in memory: ${error.message}`));
limiter.on("storageRecovered", () => console.warn("Counting in Redis again."));

app.use(limiter.middleware());
app.get("/", (_req, res) => {
  res.send("hello");
});

const port = process.env.PORT ?? 3000;
if (process.argv[1] === import.meta.filename) app.listen(port, () => console.log(`http://localhost:${port}`));
