// A storage of your own: here a Map. On a server, each method is one transaction or one script.
import express from "express";
import { Limiter, STRATEGY_NAMES } from "express-limits";

export class MapStorage {
  name = "map";
  strategies = STRATEGY_NAMES;
  #entries = new Map(); // key → { state, expiresAt }
  #clock;

  constructor({ clock = performance } = {}) {
    this.#clock = clock; // performance never steps back, as Date may
  }

  // Decides a list together: no await from here to its end, so no other hit comes between.
  hit(claims, { mode }) {
    const verdicts = this.test(claims);
    const refuses = (role) => claims.filter((claim, i) => claim.role === role && !verdicts[i].allowed);
    if (refuses("meta").length > 0) return verdicts;
    const refused = refuses("limit");
    claims.forEach((claim, i) => {
      if (claim.role === "limit" && (refused.length === 0 || (mode === "each" && verdicts[i].allowed))) {
        verdicts[i] = this.#charge(claim);
      } else if (claim.role === "meta" && refused.some((one) => one === (claim.parent ?? one))) {
        this.#charge(claim);
        verdicts[i] = { ...this.#test(claim), allowed: true };
      }
    });
    return verdicts;
  }

  test(claims) {
    return claims.map((claim) => this.#test(claim));
  }

  refund(charges) {
    for (const { claim, receipt } of charges) {
      const { key, policy, cost } = claim;
      const entry = this.#read(key);
      const state = entry && policy.strategy.refund(entry.state, policy, cost, receipt, this.#now());
      this.#write(key, state, entry?.expiresAt);
    }
  }

  clear(claims) {
    for (const { key } of claims) this.#entries.delete(key);
  }

  reset(prefix) {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }

  check() {
    return true;
  }

  #now() {
    return Math.floor(this.#clock.now());
  }

  #test({ key, policy, cost }) {
    return policy.strategy.test(this.#read(key)?.state, policy, cost, this.#now());
  }

  #charge({ key, policy, cost }) {
    const next = policy.strategy.hit(this.#read(key)?.state, policy, cost, this.#now());
    this.#write(key, next.state, next.expiresAt);
    return next;
  }

  #read(key) {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.expiresAt > this.#now() ? entry : undefined;
  }

  #write(key, state, expiresAt) {
    if (state === undefined) this.#entries.delete(key);
    else this.#entries.set(key, { state, expiresAt }); // a server would expire it by itself
  }
}

export const app = express();
const limiter = new Limiter({ storage: new MapStorage() });
app.get("/", limiter.limit("2 per minute"), (_req, res) => {
  res.send("hello");
});

if (process.argv[1] === import.meta.filename) app.listen(3000, () => console.log("http://localhost:3000"));
