// One reverse proxy stands in front. Express has to be told, or every client has the proxy's address.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
app.set("trust proxy", "loopback"); // the proxy's address or network; a number of hops works too

const limiter = new Limiter({ defaultLimits: "2 per minute" });
app.use(limiter.middleware());

app.get("/", (req, res) => {
  res.send(`You are ${req.rateLimit.key}`);
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
