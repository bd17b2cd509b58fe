// Tests turn the time by hand: build the app with a clock, and an hour passes at once.
import express from "express";
import { Limiter } from "express-limits";
import { ManualClock } from "express-limits/testing";

export function createApp({ clock } = {}) {
  const app = express();
  const limiter = new Limiter({ clock });
  app.get("/", limiter.limit("1 per hour"), (_req, res) => {
    res.send("hello");
  });
  return app;
}

export const clock = new ManualClock();
export const app = createApp({ clock }); // in the server: createApp()

if (process.argv[1] === import.meta.filename) {
  const server = app.listen(0);
  const status = async () => (await fetch(`http://localhost:${server.address().port}/`)).status;
  console.log(await status(), await status()); // 200 429
  clock.advance(3_600_000);
  console.log(await status()); // 200
  server.close();
}
