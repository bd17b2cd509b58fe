import type { BoundLimit } from "./bound-limit.js";
import type { ExpressRequest, Handle } from "./express-internals.js";
import { dispatchedMethod } from "./express-internals.js";
import type { Marks } from "./marks.js";

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
