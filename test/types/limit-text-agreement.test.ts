import fc from "fast-check";
import ts from "typescript";
import { expect, test } from "vitest";
import { LimitSyntaxError } from "../../src/core/errors.js";
import { parseLimits } from "../../src/core/parse-limit.js";
import { almostLimitTexts } from "../helpers/limit-texts.js";

const FILE = new URL("./generated-limit-texts.ts", import.meta.url).pathname;

test("the compiler accepts exactly the texts that can be read", { timeout: 60_000 }, () => {
  const texts = [...new Set(fc.sample(almostLimitTexts, { numRuns: 500, seed: 20 }))];
  const readable = texts.filter(canBeRead);
  expect(readable.length).toBeGreaterThan(texts.length / 5);
  expect(acceptedByTypes(texts)).toEqual(readable);
});

function canBeRead(text: string): boolean {
  try {
    parseLimits(text);
    return true;
  } catch (error) {
    if (error instanceof LimitSyntaxError) return false;
    throw error;
  }
}

/** One assignment for each text, in a file that exists only in memory; those without an error are accepted. */
function acceptedByTypes(texts: readonly string[]): readonly string[] {
  const lines = texts.map(
    (text, index) => `export const t${index}: LimitText<${JSON.stringify(text)}> = ${JSON.stringify(text)};`,
  );
  const source = `import type { LimitText } from "../../src/core/limit-text.js";\n${lines.join("\n")}\n`;
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    module: ts.ModuleKind.NodeNext,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (name) => name === FILE || fileExists(name);
  host.getSourceFile = (name, version, ...rest) =>
    name === FILE ? ts.createSourceFile(name, source, version) : getSourceFile(name, version, ...rest);

  const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram([FILE], options, host));
  const linesWithError = diagnostics.map(({ file, start, messageText }) => {
    expect(file?.fileName, ts.flattenDiagnosticMessageText(messageText, "\n")).toBe(FILE);
    return file?.getLineAndCharacterOfPosition(start ?? 0).line ?? 0;
  });
  const refused = new Set(linesWithError.map((line) => line - 1));
  return texts.filter((_, index) => !refused.has(index));
}
