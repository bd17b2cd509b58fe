// A penalty: who breaks the limit is refused for five minutes, whatever the limit's own window says.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter();

app.get("/search", limiter.limit("2 per second", { block: "5m" }), (_req, res) => {
  res.send("found");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
