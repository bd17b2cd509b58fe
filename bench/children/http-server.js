// An Express app behind one limiter, on a free port. Tells its port, and its CPU time whenever it is asked.
//   node children/http-server.js <candidate> <limits>
process.env.NODE_ENV = "production";
const { default: express } = await import("express");
const middlewares = await import("../lib/middlewares.js");
const { names } = await import("../lib/options.js");
const { importRoot } = await import("../lib/subject.js");

const [candidate, limits] = names;
const work = { limits: Number(limits), headers: "legacy" };
const make = {
  bare: () => undefined,
  floor: () => middlewares.floor(work),
  application: async () => middlewares.applicationLimit(await importRoot(), work),
  default: async () => middlewares.defaultLimit(await importRoot(), work),
  "express-rate-limit": () => middlewares.expressRateLimit(work),
  "rate-limiter-flexible": () => middlewares.rateLimiterFlexible(work),
}[candidate];

const app = express();
const middleware = await make();
if (middleware !== undefined) app.use(middleware);
app.get("/", (_req, res) => res.send("ok"));

const server = app.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
// Connections rest while others have their turn.
server.keepAliveTimeout = 600_000;
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpuUs: user + system });
});
process.on("disconnect", () => process.exit(0));
