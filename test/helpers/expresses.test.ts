import { createRequire } from "node:module";
import request from "supertest";
import { describe, expect, test } from "vitest";
import { expresses } from "./expresses.js";

const require = createRequire(import.meta.url);

describe.each(expresses)("$name", ({ express }) => {
  test("answers a request", async () => {
    const app = express();
    app.get("/users/:id", (req, res) => void res.send(req.params.id));
    expect((await request(app).get("/users/7")).text).toBe("7");
  });
});

test.each([
  { name: "express4", version: /^4\./ },
  { name: "express5-0", version: /^5\.0\./ },
  { name: "express", version: /^5\.[^0]/ },
])("$name is $version", ({ name, version }) => {
  expect(require(`${name}/package.json`).version).toMatch(version);
});

test.each([
  { name: "express5-0", version: "2.2.0" },
  { name: "express", version: "2.3.0" },
])("$name has router $version, which matches layers in its own way", ({ name, version }) => {
  const resolve = createRequire(require.resolve(name));
  expect(resolve("router/package.json").version).toBe(version);
});
