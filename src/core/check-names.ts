import { ConfigurationError } from "./errors.js";

/** Throws for an option that its owner does not take, and names those that it does. */
export function checkNames(owner: string, options: object, names: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new ConfigurationError(`Unknown option "${unknown}" of ${owner}. It takes: ${names.join(", ")}.`);
}
