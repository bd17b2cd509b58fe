// A limit on a router: one counter for all of it, or with perEndpoint one for each of its routes.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter();

function createRouter() {
  const router = express.Router();
  router.get("/cats", (_req, res) => res.send("cats"));
  router.get("/dogs/:name", (req, res) => res.send(req.params.name));
  return router;
}

app.use("/together", limiter.limit("2 per minute"), createRouter());
app.use("/each", limiter.limit("2 per minute", { perEndpoint: true }), createRouter());

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
