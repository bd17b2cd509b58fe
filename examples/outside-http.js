// The same counters outside HTTP: a job and a route spend from one budget, because they share scope, limit and key.
import express from "express";
import { byUser, Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter();
const LIMIT = "3 per hour";

export async function nightlyMail(userId) {
  const { allowed, retryAfterMs } = await limiter.hit(LIMIT, userId, { scope: "mail" });
  return allowed ? "sent" : `again in ${Math.ceil(retryAfterMs / 60_000)} minutes`;
}

const user = byUser((req) => req.get("x-user"));
app.post("/mail", limiter.sharedLimit(LIMIT, { scope: "mail", keyFunc: user }), (_req, res) => {
  res.send("sent");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
