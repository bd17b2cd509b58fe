import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { STRATEGY_NAMES } from "../../src/core/policy.js";
import { ALL_OR_NOTHING } from "../../src/core/storage.js";
import { startRedis } from "../helpers/servers.js";
import { blockClaim, claim, freshClient, policy } from "./claims.js";
import { forAllTests, openClient, openStorage } from "./connections.js";

const redis = forAllTests(startRedis);

/** The commands that the docs tell to allow, `+evalsha`, `+eval` and so on. */
function documentedCommands(): readonly string[] {
  const docs = readFileSync(join(import.meta.dirname, "../../docs/storages-redis.md"), "utf8");
  const rule = /ACL SETUSER [^`]*/.exec(docs)?.[0] ?? "";
  return rule.match(/\+[a-z|]+/g) ?? [];
}

test("an ACL user that may do what the docs tell can do everything", async () => {
  const { port } = await redis();
  const admin = openClient(port);
  await admin.acl("SETUSER", "limits", "on", ">secret", "~test:*", ...documentedCommands());
  const storage = openStorage(openClient(port, { username: "limits", password: "secret" }), {
    denyCacheMs: 0,
  });
  for (const strategy of STRATEGY_NAMES) {
    const who = freshClient();
    const one = claim(policy(strategy, 3), { who });
    const list = [one, claim(policy(strategy, 5, 1, "hour"), { who })];
    for (let i = 0; i < 4; i++) await storage.hit([one], ALL_OR_NOTHING);
    const [verdict] = await storage.hit(list, { mode: "each" });
    await storage.hit([...list, blockClaim(1000, { who })], ALL_OR_NOTHING);
    if (verdict !== undefined) await storage.refund([{ claim: one, receipt: verdict }]);
    for (const key of await admin.keys(`test:{${who}}*`)) await admin.persist(key);
    await storage.hit([one], ALL_OR_NOTHING);
    await storage.clear(list);
  }
  await storage.reset("test:{");
  expect(await storage.check()).toBe(true);
  expect(await admin.dbsize()).toBe(0);
});
