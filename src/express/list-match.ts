import { describe } from "../core/describe.js";
import { ConfigurationError } from "../core/errors.js";
import { canonicalAddress } from "./address.js";
import { isIPv4 } from "./ip-version.js";

/** What the text of a list entry means, in one spelling. */
export type ListMatch =
  | { readonly kind: "address"; readonly text: string }
  | { readonly kind: "network"; readonly text: string; readonly network: Network }
  | { readonly kind: "key"; readonly text: string };

/** A range of addresses. */
export interface Network {
  readonly family: "ipv4" | "ipv6";
  /** Its first address. */
  readonly address: string;
  readonly bits: number;
}

/**
 * Reads an address, a network (`"10.0.0.0/8"`) or, where it is neither, a key.
 *
 * Throws `ConfigurationError` for what is nearly a network: taken for a key it would silently match nobody.
 */
export function parseListMatch(where: string, text: unknown): ListMatch {
  if (typeof text !== "string" || text === "") {
    throw new ConfigurationError(
      `${where} takes addresses, networks such as "10.0.0.0/8", keys and functions, got ${describe(text)}.`,
    );
  }
  const slash = text.indexOf("/");
  if (slash >= 0) return parseNetwork(where, text, text.slice(0, slash), text.slice(slash + 1));
  const address = bareAddress(text);
  return address === undefined ? { kind: "key", text } : { kind: "address", text: address };
}

/** Canonical, whole, without the length that grouped addresses carry. */
export function bareAddress(text: string): string | undefined {
  return canonicalAddress(text, 128)?.replace(/\/128$/, "");
}

function parseNetwork(where: string, text: string, first: string, bits: string): ListMatch {
  const address = bareAddress(first);
  if (address === undefined) {
    const isNearlyOne = /^[\d.]*\.[\d.]*$|^[\da-f.]*:[\da-f.]*:[\da-f:.]*$/i.test(first);
    if (!isNearlyOne) return { kind: "key", text };
    throw new ConfigurationError(`${where} has "${text}", which is no network: "${first}" is no address.`);
  }
  const family = isIPv4(address) ? "ipv4" : "ipv6";
  // An IPv4 network written in IPv6 has the 96 bits of the mapping before its own.
  const [least, most] =
    family === "ipv4" && first.includes(":") ? [96, 128] : [0, family === "ipv4" ? 32 : 128];
  const length = Number(bits);
  if (!/^\d{1,3}$/.test(bits) || length < least || length > most) {
    throw new ConfigurationError(
      `${where} has the network "${text}", whose length must be ${least} to ${most}.`,
    );
  }
  const network = { family, address: firstOf(address, length - least), bits: length - least } as const;
  return { kind: "network", text: `${network.address}/${network.bits}`, network };
}

/** The first address of the network that an address is in. */
function firstOf(address: string, bits: number): string {
  if (!isIPv4(address)) return (canonicalAddress(address, bits) ?? address).replace(/\/\d+$/, "");
  const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const first = number - (number % 2 ** (32 - bits));
  return [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join(".");
}
