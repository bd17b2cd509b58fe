/** A value that is there already, or comes later. */
export type MaybePromise<T> = T | Promise<T>;

/** True for anything with a `then`. */
export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}

/** Goes on with a value, at once if it is there. Keeps synchronous storages free of promises. */
export function whenReady<T, R>(
  value: MaybePromise<T>,
  goOn: (value: T) => MaybePromise<R>,
): MaybePromise<R> {
  return isPromise(value) ? value.then(goOn) : goOn(value);
}
