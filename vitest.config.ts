import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vitest/config";

/** `import script from "./x.lua"` gives the text, as in the build. */
const luaAsText: Plugin = {
  name: "lua-as-text",
  load(id) {
    return id.endsWith(".lua") ? `export default ${JSON.stringify(readFileSync(id, "utf8"))}` : null;
  },
};

const source = fileURLToPath(new URL("src", import.meta.url));

export default defineConfig({
  plugins: [luaAsText],
  resolve: {
    alias: [
      { find: /^express-limits$/, replacement: `${source}/index.ts` },
      { find: /^express-limits\/(.+)$/, replacement: `${source}/$1/index.ts` },
    ],
  },
  test: {
    testTimeout: 20_000,
    hookTimeout: 30_000,
    coverage: { provider: "v8", include: ["src/**/*.ts"], reporter: ["text", "html"] },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/package/**"],
          typecheck: {
            enabled: true,
            include: ["test/types/**/*.test-d.ts"],
            tsconfig: "test/tsconfig.json",
          },
        },
      },
      {
        extends: true,
        test: {
          name: "package",
          include: ["test/package/**/*.test.ts"],
          globalSetup: ["test/package/pack.ts"],
          testTimeout: 120_000,
          // After the others: compilers at work would disturb tests of time.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
