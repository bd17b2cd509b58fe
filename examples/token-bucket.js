// A burst, then a steady rate: five requests at once, after that one every 12 seconds.
import express from "express";
import { Limiter } from "express-limits";

export const app = express();
const limiter = new Limiter({ strategy: "token-bucket" });

app.get("/", limiter.limit("5 per minute"), (_req, res) => {
  res.send("5 at once, then one every 12 s");
});

// "burst" is the whole capacity: twenty at once, but still only one more every 12 seconds.
app.get("/photos", limiter.limit("5 per minute", { burst: 20 }), (_req, res) => {
  res.send("20 at once, then one every 12 s");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
