// `npm test`: every check in order, up to the first that fails.

import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const report = join("node_modules", ".cache", "express-limits", "report.json");

const colors = process.stdout.isTTY ? "force" : "off";

const steps = [
  { name: "servers", command: "node test/setup/servers.mjs" },
  { name: "lint and format", command: `biome ci --error-on-warnings --colors=${colors}` },
  { name: "types of src", command: "tsc --noEmit" },
  { name: "types of test", command: "tsc --noEmit -p test" },
  { name: "build", command: "tsup --silent" },
  { name: "tests", command: `vitest run --reporter=default --reporter=json --outputFile.json=${report}` },
];

const env = { ...process.env, PATH: join(root, "node_modules", ".bin") + delimiter + process.env.PATH };
if (!process.stdout.isTTY) env.NO_COLOR = "1";

// An earlier run's report must not be taken for this one's.
rmSync(join(root, report), { force: true });

for (const { name, command } of steps) {
  console.log(`\n── ${name}: ${command}`);
  const { status } = spawnSync(command, { shell: true, cwd: root, env, stdio: "inherit" });
  if (status !== 0) {
    console.error(`\nFailed at: ${name}`);
    process.exit(status ?? 1);
  }
}
