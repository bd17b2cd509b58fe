// A limit on breaches: who is refused too often is refused everything, until the meta limit's window ends.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter({ defaultLimits: "2 per minute", metaLimits: "3 per hour" });

app.use(limiter.middleware());

app.get("/cats", (_req, res) => {
  res.send("cats");
});
app.get("/dogs", (_req, res) => {
  res.send("dogs");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
