// The engine without Express: limits, a key and a storage make a decision. Here in front of plain node:http.
import { createServer } from "node:http";
import { MemoryStorage, RateLimiter } from "express-limits/core";

const limiter = new RateLimiter({ storage: new MemoryStorage(), strategy: "moving-window" });

export async function app(req, res) {
  const { allowed, retryAfterMs } = await limiter.hit("2 per minute; 100 per day", req.socket.remoteAddress);
  if (allowed) {
    res.end("hello");
  } else {
    res.writeHead(429, { "Retry-After": Math.ceil(retryAfterMs / 1000) });
    res.end("Too many requests");
  }
}

if (process.argv[1] === import.meta.filename) createServer(app).listen(3000);
