// Counts users, not addresses. The limit stands behind authentication, so that it knows who is asking.
import express from "express";
import { byUser, Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter();
const sessions = new Map([
  ["token-of-ann", { id: "ann" }],
  ["token-of-bob", { id: "bob" }],
]);

function authenticate(req, res, next) {
  req.user = sessions.get(req.get("authorization"));
  if (req.user) next();
  else res.status(401).send("Who are you?");
}

app.get("/report", authenticate, limiter.limit("2 per hour", { keyFunc: byUser() }), (req, res) => {
  res.send(`A report for ${req.user.id}`);
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
