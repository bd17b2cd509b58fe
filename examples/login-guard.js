// A login that cannot be guessed: wrong passwords count by address, by account, and by the pair of both.
import express from "express";
import { Limiter, loginGuard } from "express-limits";

export const app = express();
const limiter = new Limiter();
const guard = loginGuard(limiter, { account: "username", perPair: "3 per 15 minutes" });

app.post("/login", express.json(), ...guard, (req, res) => {
  if (req.body?.password === "correct horse") res.send("welcome");
  else res.status(401).send("wrong");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
