import { ConfigurationError } from "../core/errors.js";
import type { BinaryScripts, RedisClient } from "./redis-client.js";

/** A setting of a client with which limits would not hold, and what to do about it. */
interface UnsafeSetting {
  readonly option: string;
  readonly isUnsafe: (options: Readonly<Record<string, unknown>>) => boolean;
  readonly advice: string;
}

const UNSAFE_SETTINGS: readonly UnsafeSetting[] = [
  {
    option: "role",
    isUnsafe: ({ role }) => role === "slave",
    advice: 'it connects to a replica, where nothing can be charged. Leave it out, or set it to "master".',
  },
  {
    option: "autoResendUnfulfilledCommands",
    isUnsafe: ({ autoResendUnfulfilledCommands, maxRetriesPerRequest }) =>
      autoResendUnfulfilledCommands !== false && maxRetriesPerRequest === null,
    advice:
      "together with maxRetriesPerRequest: null every decision whose answer was lost is sent again after any " +
      "outage, and may be charged or given back twice. Set it to false, or maxRetriesPerRequest to 1.",
  },
];

/** Warns, once for each storage that is made, of settings with which limits would not hold. */
export function warnOfUnsafeSettings(client: RedisClient): void {
  checkMethods(client);
  const options = { ...client.options?.redisOptions, ...client.options };
  for (const { option, isUnsafe, advice } of UNSAFE_SETTINGS) {
    if (!isUnsafe(options)) continue;
    process.emitWarning(`The Redis client's option ${option} is unsafe for rate limits: ${advice}`, {
      type: "ExpressLimitsWarning",
      code: "EXPRESS_LIMITS_UNSAFE_REDIS_CLIENT",
    });
  }
}

const METHODS = ["evalshaBuffer", "evalBuffer", "ping", "scan", "unlink", "on", "off"] as const;

/** A client of another package would fail at the first request, and say nothing of use. */
function checkMethods(client: Partial<RedisClient & BinaryScripts> | null | undefined): void {
  const missing = METHODS.filter((method) => typeof client?.[method] !== "function");
  if (missing.length === 0) return;
  throw new ConfigurationError(
    `RedisStorage takes a client of ioredis (a Redis or a Cluster) or a URI; this one has no ${missing.join("(), ")}().`,
  );
}
