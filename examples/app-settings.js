// The limiter lives in its own file and takes its settings from the app; RATELIMIT_DEFAULT in the environment
// works as well. Order: the constructor, then the app, then the environment.
import express from "express";
import { Limiter } from "express-limits";

const limiter = new Limiter({ headersEnabled: true });

function createApp() {
  const app = express();
  app.set("RATELIMIT_DEFAULT", "2 per minute; 100 per day");
  limiter.init(app);
  app.get("/", (_req, res) => {
    res.send("hello");
  });
  return app;
}

export const app = createApp();

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
