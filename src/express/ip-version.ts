import { nodeModule } from "./node-modules.js";

const BYTE = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^(?:${BYTE}\\.){3}${BYTE}$`);

/** As `node:net` has it. Here, since most requests need it and nothing else of that module. */
export function isIPv4(text: string): boolean {
  return IPV4.test(text);
}

/** As `node:net` has it. */
export function isIPv6(text: string): boolean {
  return nodeModule("node:net").isIPv6(text);
}
