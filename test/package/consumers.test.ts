import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bin, installPackage, run } from "./install.js";

/** What every consumer prints: the answers it got from its own small app. */
const answers = {
  default: [200, 200, 429],
  own: [200, 429],
  ping: [200, 200, 200, 200],
  engine: true,
};

describe("a project with express-limits from npm limits its requests", () => {
  test.each(["cjs", "esm"])("in plain JavaScript: %s", async (consumer) => {
    const project = await installPackage(consumer);
    expect(JSON.parse(await run(project, process.execPath, "index.js"))).toEqual(answers);
  });

  test.each(["module", "commonjs"])("in TypeScript, with every type checked: %s", async (type) => {
    const project = await installPackage("ts-node16");
    writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type }));
    await run(project, bin("tsc"), "-p", ".");
    expect(JSON.parse(await run(project, process.execPath, "out/index.js"))).toEqual(answers);
  });
});
