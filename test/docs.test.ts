import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { format } from "node:util";
import express from "express";
import * as main from "express-limits";
import * as core from "express-limits/core";
import * as memcachedStorage from "express-limits/memcached";
import * as redisStorage from "express-limits/redis";
import * as testing from "express-limits/testing";
import * as ioredis from "ioredis";
import * as memcached from "memcached";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { LIMIT_OPTION_NAMES } from "../src/express/limit-options.js";
import { LIMITER_OPTION_NAMES } from "../src/express/limiter-options.js";
import { serve } from "./helpers/http.js";
import { type Server, startMemcached, startRedis } from "./helpers/servers.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = ["README.md", "examples/README.md", ...list("docs")];
const textOf = (page: string): string => readFileSync(join(root, page), "utf8");
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, "");

function list(folder: string): string[] {
  return readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
}

/** A fenced block. What it prints stands in a `text` block right behind it. */
interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  /** What follows the language in the fence: `untyped` for programs with mistakes on purpose. */
  readonly note: string;
  readonly code: string;
  readonly prints: string | undefined;
}

function blocksOf(page: string): Block[] {
  const text = textOf(page);
  const fences = [...text.matchAll(/^```(\w*)( [\w-]+)?\n([\s\S]*?)^```$/gm)];
  return fences.map((fence, i) => {
    const [all, language = "", note = "", code = ""] = fence;
    const next = fences[i + 1];
    const isFollowed = next !== undefined && text.slice(fence.index + all.length, next.index).trim() === "";
    const line = text.slice(0, fence.index).split("\n").length;
    const prints = isFollowed && next[1] === "text" ? next[3] : undefined;
    return { page, line, language, note: note.trim(), code, prints };
  });
}

const blocks = pages.flatMap(blocksOf);
const programs = blocks.filter(({ language, code }) => language === "js" && /^import /m.test(code));

/** What fragments may take for granted. */
const GIVEN = `
import type { Express, RequestHandler, Request } from "express";
declare global {
  const app: Express;
  const limiter: import("express-limits").Limiter;
  const express: typeof import("express");
  const { byHeader, byUser, Limiter, loginGuard }: typeof import("express-limits");
  const adminsOnly: RequestHandler, authenticate: RequestHandler, handler: RequestHandler, login: RequestHandler;
  const report: RequestHandler, search: RequestHandler;
  function passwordIsRight(req: Request): Promise<boolean>;
  namespace Express {
    interface Request {
      user?: { id: string; plan?: "free" | "pro" };
      session?: { userId?: string };
    }
  }
}
`;

/** What the compiler says of all blocks, each a module of its own. */
function problemsOf(typed: readonly Block[]): string[] {
  const config = ts.readConfigFile(join(root, "test/tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, join(root, "test"));
  const files = new Map<string, string>([[join(root, "test/docs-given.ts"), GIVEN]]);
  typed.forEach(({ page, line, language, code }) => {
    const name = `docs-${page.replaceAll(/\W/g, "-")}-${line}.${language}`;
    files.set(join(root, "test", name), `${code}\nexport {};\n`);
  });
  const loose = {
    noImplicitAny: false,
    noImplicitReturns: false,
    noPropertyAccessFromIndexSignature: false,
    noUncheckedIndexedAccess: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
    useUnknownInCatchVariables: false,
  };
  const all: ts.CompilerOptions = { ...options, ...loose, allowJs: true, checkJs: true };
  const host = ts.createCompilerHost(all);
  const { readFile, fileExists, getSourceFile } = host;
  host.readFile = (path) => files.get(path) ?? readFile(path);
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.getSourceFile = (path, version, ...rest) => {
    const text = files.get(path);
    if (text === undefined) return getSourceFile(path, version, ...rest);
    return ts.createSourceFile(path, text, version);
  };
  const program = ts.createProgram([...files.keys()], all, host);
  return [...files.keys()].flatMap((path) => {
    const source = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ messageText, start = 0 }) => {
      const line = source === undefined ? 0 : source.getLineAndCharacterOfPosition(start).line + 1;
      return `${relative(root, path)}:${line} ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
    });
  });
}

const MODULES: Readonly<Record<string, unknown>> = {
  express: { default: express },
  "express-limits": main,
  "express-limits/core": core,
  "express-limits/memcached": memcachedStorage,
  "express-limits/redis": redisStorage,
  "express-limits/testing": testing,
  ioredis,
  memcached,
};

/** What a program leaves that listens. */
interface Listening {
  readonly app: express.Express;
  readonly limiter: main.Limiter;
}

/** What programs find at the usual ports of localhost. */
const servers: Record<"localhost:6379" | "localhost:11211", Server | undefined> = {
  "localhost:6379": undefined,
  "localhost:11211": undefined,
};
beforeAll(async () => {
  servers["localhost:6379"] = await startRedis();
  servers["localhost:11211"] = await startMemcached();
});
afterAll(async () => {
  for (const server of Object.values(servers)) await server?.stop();
});

/** Runs a program; gives what it printed, and its app if it listens. */
async function run(code: string): Promise<{ printed: string; app: express.Express | undefined }> {
  const body = code
    .replaceAll(/^import (\w+) from "([^"]+)";$/gm, 'const { default: $1 } = modules["$2"];')
    .replaceAll(/^import (\{[^}]+\}) from "([^"]+)";$/gm, 'const $1 = modules["$2"];')
    .replaceAll(/localhost:(6379|11211)/g, (address) => {
      return `127.0.0.1:${servers[address as keyof typeof servers]?.port}`;
    })
    .replace(/^app\.listen\(\d+\);$/m, "return { app, limiter };");
  const AsyncFunction = (async () => {}).constructor as new (...source: string[]) => unknown;
  const lines: string[] = [];
  const log = vi
    .spyOn(console, "log")
    .mockImplementation((...args) => void lines.push(`${format(...args)}\n`));
  vi.stubEnv("RATELIMIT_STORAGE_TIMEOUT", "10s"); // however busy the machine is
  const program = new AsyncFunction("modules", body) as (modules: unknown) => Promise<Listening | undefined>;
  onTestFinished(() => {
    log.mockRestore();
    vi.unstubAllEnvs();
  });
  const listening = await program(MODULES);
  onTestFinished(() => listening?.limiter.close());
  return { printed: lines.join(""), app: listening?.app };
}

describe("programs in the docs", () => {
  it("type-check, fragments too", { timeout: 60_000 }, () => {
    const typed = blocks.filter(({ language, note }) => /^[jt]s$/.test(language) && note !== "untyped");
    expect(typed.length).toBeGreaterThan(20);
    expect(problemsOf(typed)).toEqual([]);
  });

  it.each(programs.filter(({ code }) => !/^app\.use\(\(err/m.test(code)))(
    "run and print what the page says: $page, line $line",
    async ({ code, prints }) => {
      const { printed } = await run(code);
      if (prints !== undefined) expect(printed).toBe(prints);
    },
  );

  it("the README's quick start limits as it says", async () => {
    const quickStart = programs.find(({ page }) => page === "README.md");
    const { app } = await run(quickStart?.code ?? "");
    const server = await serve(app ?? express());
    expect(await server.statuses(2, "/slow")).toEqual([200, 429]);
    expect(await server.statuses(2, "/fast")).toEqual([200, 429]);
    expect(await server.statuses(9, "/ping")).toEqual(new Array(9).fill(200));
    const shown = blocks.find(({ language }) => language === "http")?.code ?? "";
    const refused = await server.get("/slow", { accept: "*/*" });
    expect(shown.split("\n\n")[1]).toBe(refused.body);
    const names = [...shown.matchAll(/^([\w-]+): /gm)].map(([, name = ""]) => name.toLowerCase());
    expect(Object.keys(refused.headers)).toEqual(expect.arrayContaining(names));
  });
});

describe("answers and keys in the docs", () => {
  const shownOn = (page: string, wanted: string): string[] =>
    blocks.filter((block) => block.page === page && block.language === wanted).map(({ code }) => code);
  const CLOCK_START = Date.parse("2026-01-01T00:00:00Z");

  /** What an app with one limited route answers on the clock's first second. */
  async function answers(options: main.LimiterOptions, limits: string, times: number) {
    const app = express();
    const limiter = new main.Limiter({ ...options, clock: new testing.ManualClock(CLOCK_START) });
    app.get("/search", limiter.limit(limits), (req, res) => {
      res.json(req.rateLimit);
    });
    const server = await serve(app);
    const all = [];
    for (let i = 0; i < times; i++) {
      all.push(await server.get("/search", { accept: "application/problem+json" }));
    }
    return all;
  }

  it.each(["ietf", "draft-7", "draft-6"] as const)(
    "the standard headers of %s are those shown",
    async (draft) => {
      const number = ["ietf", "draft-7", "draft-6"].indexOf(draft);
      const [answer] = await answers({ standardHeaders: draft }, "2 per minute; 10 per hour", 1);
      const shown = shownOn("docs/headers.md", "http")[number]?.trim().split("\n") ?? [];
      const standard = Object.entries(answer?.headers ?? {}).filter(([name]) => name.startsWith("ratelimit"));
      expect(standard.map(([name, value]) => `${name}: ${value}`)).toEqual(
        shown.map((line) => line.replace(/^[\w-]+/, (name) => name.toLowerCase())),
      );
    },
  );

  it("the problem document and req.rateLimit are those shown", async () => {
    const [problem = "", info = ""] = shownOn("docs/headers.md", "json");
    const [, , refused] = await answers({}, "2 per minute", 3);
    expect({ ...JSON.parse(refused?.body ?? ""), retryAfter: 58 }).toEqual(JSON.parse(problem));
    const [passed] = await answers({}, "10 per hour", 1);
    expect(JSON.parse(passed?.body ?? "")).toEqual(JSON.parse(info));
  });

  it("a stored key looks as shown", async () => {
    const keys: string[] = [];
    const storage = new main.MemoryStorage();
    const { hit } = storage;
    storage.hit = (claims, options) => {
      keys.push(...claims.map(({ key }) => key));
      return hit.call(storage, claims, options);
    };
    await answers({ storage }, "10 per minute", 1);
    const shown = shownOn("docs/storages.md", "text").find((text) => text.includes("{@"));
    expect(keys).toEqual([shown?.split("\n")[0]?.replace("192.0.2.1", "127.0.0.1")]);
  });

  it("limit texts mean what the table says", () => {
    const rows = textOf("docs/limit-strings.md").matchAll(/^\| (`\d[^|]*) \| `([^`]+)` \|/gm);
    const pairs = [...rows].flatMap(([, texts = "", meaning = ""]) =>
      [...texts.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => [text, meaning]),
    );
    expect(pairs.length).toBeGreaterThan(5);
    expect(pairs.map(([text = ""]) => String(main.parseLimit(text)))).toEqual(
      pairs.map(([, meaning]) => meaning),
    );
  });
});

/** The first column of the table under a heading. */
function firstColumn(page: string, heading: string): string[] {
  const section = textOf(page)
    .split(/^## /m)
    .find((part) => part.startsWith(heading));
  const rows = [...(section ?? "").matchAll(/^\| (?:<a [^>]*><\/a>)?(`[^|]*) \|/gm)];
  return rows.flatMap(([, cell = ""]) => [...cell.matchAll(/`(\w+)/g)].map(([, name = ""]) => name));
}

describe("tables in the README", () => {
  it("have every option of a limiter, and no other", () => {
    expect(firstColumn("README.md", "Options of `new Limiter").sort()).toEqual(
      [...LIMITER_OPTION_NAMES].sort(),
    );
  });

  it("have every option of a limit, and no other", () => {
    expect(firstColumn("README.md", "Options of one limit").sort()).toEqual([...LIMIT_OPTION_NAMES].sort());
  });

  it("have every method, and no other", () => {
    const members = Object.getOwnPropertyNames(main.Limiter.prototype).filter(
      (name) => name !== "constructor",
    );
    expect(firstColumn("README.md", "Methods").sort()).toEqual(members.sort());
  });

  it("have every error code, and so has its page", () => {
    const source = textOf("src/core/errors.ts").split("export type ErrorCode =")[1]?.split(";")[0] ?? "";
    const codes = [...source.matchAll(/"([A-Z_]+)"/g)].map(([, code = ""]) => code);
    expect(firstColumn("README.md", "Errors").sort()).toEqual(codes.sort());
    const anchors = codes.map((code) => code.toLowerCase().replaceAll("_", "-"));
    expect([...anchorsOf("README.md")]).toEqual(expect.arrayContaining(anchors));
    expect([...anchorsOf("docs/errors.md")]).toEqual(expect.arrayContaining(anchors));
  });
});

/** Where links into a page can point: headings as GitHub names them, and named anchors. */
function anchorsOf(page: string): Set<string> {
  const text = withoutCode(textOf(page));
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
  return new Set([...headings, ...[...text.matchAll(/<a name="([^"]+)"/g)].map(([, name = ""]) => name)]);
}

/** Measuring is a project of its own, and writes its report itself. */
const isMeasured = (path: string): boolean => path.startsWith("bench/");

describe("links in the docs", () => {
  it.each(pages)("%s: lead somewhere", (page) => {
    const links = [...withoutCode(textOf(page)).matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => link);
    const dead = links.filter((link) => {
      if (/^https:/.test(link)) return false;
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : join(dirname(page), path);
      if (isMeasured(target)) return false;
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(target).has(anchor);
    });
    expect(dead).toEqual([]);
  });

  it("the architecture names files that exist", () => {
    const named = [...textOf("docs/architecture.md").matchAll(/`([\w./-]+\.ts)`/g)].map(
      ([, name = ""]) => name,
    );
    const missing = named.filter(
      (name) => !existsSync(join(root, name)) && !existsSync(join(root, "src/express", name)),
    );
    expect(missing).toEqual([]);
  });

  it("every example is in the index", () => {
    const index = textOf("examples/README.md");
    const files = list("examples").filter((file) => file.endsWith(".js"));
    expect(files.filter((file) => !index.includes(`(${file.slice("examples/".length)})`))).toEqual([]);
  });

  it("every setting that can come from the app or the environment has its row", () => {
    const rows = textOf("docs/from-flask-limiter.md");
    const source = textOf("src/express/settings.ts");
    const names = [...source.matchAll(/^ {2}([A-Z_]+): \{ option/gm)].map(
      ([, name = ""]) => `RATELIMIT_${name}`,
    );
    expect(names.length).toBeGreaterThan(30);
    expect(names.filter((name) => !rows.includes(`\`${name}\``))).toEqual([]);
  });
});
