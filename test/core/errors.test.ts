import { describe, expect, it } from "vitest";
import {
  ConfigurationError,
  ExpressLimitsError,
  LimitSyntaxError,
  StorageError,
  UnsupportedStrategyError,
} from "../../src/core/errors.js";

type Errors = typeof import("../../src/core/errors.js");

/** Another copy of the module, as the ESM and the CommonJS build are to each other. */
const copyPath = "../../src/core/errors.js?another-copy";
const copy: Errors = await import(copyPath);

const CASES = [
  { error: new LimitSyntaxError("no", "10 per hor", 7), name: "LimitSyntaxError", code: "LIMIT_SYNTAX" },
  { error: new ConfigurationError("no"), name: "ConfigurationError", code: "CONFIGURATION" },
  {
    error: new UnsupportedStrategyError("no"),
    name: "UnsupportedStrategyError",
    code: "UNSUPPORTED_STRATEGY",
  },
  { error: new StorageError("no"), name: "StorageError", code: "STORAGE" },
] as const;

describe("errors", () => {
  it.each(CASES)("$name has a stable code and a heading in the docs", ({ error, code }) => {
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(ExpressLimitsError);
    expect(error.code).toBe(code);
    expect(error.docs).toMatch(new RegExp(`#${code.toLowerCase().replaceAll("_", "-")}$`));
  });

  it.each(CASES)("$name names its kind before its message", ({ error, name }) => {
    expect(String(error)).toBe(`${name}: no`);
  });

  it("is two copies of each class in this test", () => {
    expect(copy.StorageError).not.toBe(StorageError);
    expect(Object.getPrototypeOf(new copy.StorageError("no"))).not.toBe(StorageError.prototype);
  });

  it("holds instanceof across two copies of the package, both ways", () => {
    expect(new copy.StorageError("no")).toBeInstanceOf(StorageError);
    expect(new StorageError("no")).toBeInstanceOf(copy.StorageError);
    expect(new copy.LimitSyntaxError("no", "", 0)).toBeInstanceOf(LimitSyntaxError);
    expect(new copy.ConfigurationError("no")).toBeInstanceOf(ExpressLimitsError);
    expect(new copy.UnsupportedStrategyError("no")).toBeInstanceOf(ConfigurationError);
  });

  it("holds instanceof apart between classes, also across copies", () => {
    expect(new copy.StorageError("no")).not.toBeInstanceOf(ConfigurationError);
    expect(new copy.ConfigurationError("no")).not.toBeInstanceOf(UnsupportedStrategyError);
    expect(new copy.ConfigurationError("no")).not.toBeInstanceOf(LimitSyntaxError);
    expect(new Error("no")).not.toBeInstanceOf(ExpressLimitsError);
  });

  it.each([null, undefined, 0, "StorageError", {}, () => {}])("takes %s for no error of its own", (value) => {
    expect(value instanceof ExpressLimitsError).toBe(false);
    expect(value instanceof StorageError).toBe(false);
  });

  it("keeps the cause of a storage's failure, and a status for Express that does not expose it", () => {
    const cause = new Error("connect ECONNREFUSED");
    const error = new StorageError("The storage failed.", { cause });
    expect(error.cause).toBe(cause);
    expect(error).toMatchObject({ status: 503, statusCode: 503, expose: false });
  });

  it("keeps the text of a limit and the place in it", () => {
    expect(new LimitSyntaxError("no", "10 per hor", 7)).toMatchObject({ text: "10 per hor", position: 7 });
  });
});
