// Counters in Memcached: all processes that run this file count together. Needs no further package.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
export const limiter = new Limiter({
  storageUri: process.env.MEMCACHED_URL ?? "memcached://localhost:11211",
  swallowErrors: true, // while Memcached is away, requests pass
});

limiter.on("storageError", ({ error }) => console.warn(`Not limiting: ${error.message}`));
limiter.on("storageRecovered", () => console.warn("Limiting again."));

app.post("/signup", limiter.limit("3 per day"), (_req, res) => {
  res.send("welcome");
});

const port = process.env.PORT ?? 3000;
if (process.argv[1] === import.meta.filename) app.listen(port, () => console.log(`http://localhost:${port}`));
