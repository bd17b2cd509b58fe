import { createRequire } from "node:module";

/** Node's own modules that few limiters need, or that an app has loaded by the time they are needed. */
interface NodeModules {
  readonly "node:crypto": typeof import("node:crypto");
  readonly "node:diagnostics_channel": typeof import("node:diagnostics_channel");
  readonly "node:http": typeof import("node:http");
  readonly "node:net": typeof import("node:net");
  readonly "node:url": typeof import("node:url");
}

/**
 * One of Node's own modules, loaded when it is first asked for. Imported at the top of a file they are more than
 * half of what it takes to import a limiter: 3 to 6 ms each.
 */
export function nodeModule<Name extends keyof NodeModules>(name: Name): NodeModules[Name] {
  // Node 20.16 and 22.3 have a way of their own; `createRequire` wants the path of some file.
  return process.getBuiltinModule?.(name) ?? createRequire(process.execPath)(name);
}
