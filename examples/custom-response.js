// Three ways to answer a refused request: a text, an object sent as JSON, a handler that does it all.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter();
const answer = (_req, res) => res.send("ok");

app.get("/text", limiter.limit("1 per hour", { errorMessage: "One per hour, please." }), answer);

const asJson = (_req, _res, breach) => ({ error: "slow_down", retryAfter: breach.retryAfter });
app.get("/json", limiter.limit("1 per hour", { errorMessage: asJson }), answer);

const redirect = (_req, res) => res.redirect("/pricing");
app.get("/page", limiter.limit("1 per hour", { onBreach: redirect }), answer);

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
