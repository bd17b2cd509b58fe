// The storage fails: count in this process until it is back. "POST /break" and "POST /heal" play the failure.
import express from "express";
import { Limiter, MemoryStorage } from "express-limits";
import { FaultyStorage } from "express-limits/testing";

export const app = express();
const storage = new FaultyStorage(new MemoryStorage()); // in real life: a storage on another machine
const limiter = new Limiter({ storage, storageTimeout: "200ms", inMemoryFallbackEnabled: true });

limiter.on("storageError", ({ error }) => console.warn(`Counting in memory: ${error.message}`));
limiter.on("storageRecovered", () => console.warn("Counting in the storage again."));

app.get("/", limiter.limit("3 per minute"), (_req, res) => {
  res.send("hello");
});
app.post("/break", (_req, res) => {
  storage.fail();
  res.send("broken");
});
app.post("/heal", (_req, res) => {
  storage.heal();
  res.send("healed");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
