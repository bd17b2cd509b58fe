// Only failures count: the charge is made first, so that many at once cannot slip through, and given back
// when the answer was a success.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter();
const onlyFailures = { deductWhen: (_req, res) => res.statusCode >= 400 };

app.post("/redeem/:code", limiter.limit("3 per hour", onlyFailures), (req, res) => {
  if (req.params.code === "SUMMER") res.send("10% off");
  else res.status(404).send("No such code");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
