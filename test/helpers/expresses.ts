import { createRequire } from "node:module";
import type express from "express";

/** An `express` function. The older ones are given the types of Express 5, which fit what the tests use. */
export type ExpressFunction = typeof express;

const load: (name: string) => ExpressFunction = createRequire(import.meta.url);

/**
 * Every Express that routes in its own way: 4, 5 with router 2.0 to 2.2, and the newest.
 *
 * @example
 * describe.each(expresses)("$name", ({ express }) => {
 *   test("limits a route", async () => {
 *     const app = express();
 */
export const expresses: readonly { readonly name: string; readonly express: ExpressFunction }[] = [
  { name: "express 4", express: load("express4") },
  { name: "express 5.0 (router 2.2)", express: load("express5-0") },
  { name: "express 5", express: load("express") },
];
