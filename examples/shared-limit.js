// One budget for several routes: both send mail, so both spend from the same counter.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter();
const mail = limiter.sharedLimit("3 per hour", { scope: "mail" });

app.post("/invite", mail, (_req, res) => {
  res.send("invited");
});
app.post("/remind", mail, (_req, res) => {
  res.send("reminded");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
