// Look at what a client has spent, and forget it: for a support desk, or after a solved captcha.
import express from "express";
import { byHeader, Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter({ keyFunc: byHeader("x-api-key") });

app.get("/search", limiter.limit("2 per hour"), (_req, res) => {
  res.send("found");
});

// In real life only for your own people.
app.get("/clients/:key", async (req, res) => {
  const spent = await limiter.peek(req.params.key);
  res.json(spent.map(({ scope, limit, used }) => `${scope}: ${used} of ${limit}`));
});
app.delete("/clients/:key", async (req, res) => {
  await limiter.clear(req.params.key);
  res.sendStatus(204);
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
