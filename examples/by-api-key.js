// Each API key has a budget of its own. The key is checked first: who may invent keys has no limit.
import express from "express";
import { byHeader, Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter({ defaultLimits: "2 per minute", keyFunc: byHeader("x-api-key") });
const customers = new Set(["ann-4711", "bob-0815"]);

app.use((req, res, next) => {
  if (customers.has(req.get("x-api-key") ?? "")) next();
  else res.status(401).send("Send your key in X-Api-Key.");
});
app.use(limiter.middleware());

app.get("/data", (_req, res) => {
  res.send("data");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
