import type { BoundLimit } from "./bound-limit.js";
import type { RouteRun } from "./counters.js";
import type { ExpressRequest, Handle } from "./express-internals.js";
import { dispatchedMethod } from "./express-internals.js";
import type { Marks } from "./marks.js";
import type { RouteLookup } from "./route-lookup.js";

/** The run that begins at a handler, if a request for the same path was there before. Hot. */
export function knownRun(
  lookup: RouteLookup | undefined,
  handle: Handle,
  route: unknown,
): RouteRun | undefined {
  const run = lookup?.runs.get(handle);
  return run !== undefined && run.route === route ? run : undefined;
}

/** Did a look-up see this route? */
export function hasRoute(lookup: RouteLookup | undefined, route: unknown): boolean {
  return lookup?.candidates.some((candidate) => candidate.route === route) === true;
}

/** Did a look-up see this handler on a path? */
export function hasMounted(lookup: RouteLookup | undefined, handle: Handle): boolean {
  return lookup?.mounted.some((mount) => mount.handle === handle) === true;
}

/**
 * The limits that follow a limit on its route without anything in between, and are decided together with it.
 *
 * A handler between two limits ends the run: it may set what the next key function reads.
 */
export function neighboursOf<T>(
  handle: Handle,
  req: ExpressRequest,
  marks: Marks,
  take: (bound: BoundLimit, handle: Handle) => T,
): T[] {
  const { route } = req;
  const taken: T[] = [];
  if (route === undefined) return taken;
  const method = dispatchedMethod(route, req.method ?? "GET");
  let hasMetHandle = false;
  for (const layer of route.stack) {
    if (layer.method !== undefined && layer.method !== method) continue;
    if (!hasMetHandle) {
      hasMetHandle = layer.handle === handle;
      continue;
    }
    const mark = marks.of(layer.handle);
    if (mark?.kind === "exempt") continue;
    if (mark?.kind !== "limit") break;
    taken.push(take(mark.bound, layer.handle));
  }
  return taken;
}
