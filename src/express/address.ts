import { isIPv4, isIPv6 } from "./ip-version.js";

/** The prefix length by which IPv6 addresses are counted together: what one household usually holds. */
export const DEFAULT_IPV6_SUBNET = 56;

/**
 * One name for a client's address, however it is spelt.
 *
 * IPv4 stays as it is; IPv6 that carries IPv4 (`::ffff:192.0.2.1`, in any spelling) becomes IPv4; other IPv6
 * becomes its network, `2001:db8:0:100::/56`. Brackets, ports and zones are dropped. `undefined` for what is
 * no address.
 */
export function canonicalAddress(text: string, ipv6Subnet: number = DEFAULT_IPV6_SUBNET): string | undefined {
  if (!text.includes(":")) return isIPv4(text) ? text : undefined;
  if (text.startsWith("::ffff:") && isIPv4(text.slice(7))) return text.slice(7);
  const bare = withoutPortAndZone(text);
  if (isIPv4(bare)) return bare;
  if (!isIPv6(bare)) return undefined;
  const groups = parseIpv6(bare);
  return embeddedIpv4(groups) ?? networkOf(groups, ipv6Subnet);
}

/** `[2001:db8::1]:443`, `192.0.2.1:443` and `fe80::1%eth0` as proxies write them. */
function withoutPortAndZone(text: string): string {
  let bare = text;
  if (bare.startsWith("[")) bare = bare.slice(1, bare.indexOf("]"));
  else if (bare.indexOf(":") === bare.lastIndexOf(":")) bare = bare.slice(0, bare.indexOf(":"));
  const zone = bare.indexOf("%");
  return zone < 0 ? bare : bare.slice(0, zone);
}

/** Eight 16-bit groups of a valid address. */
function parseIpv6(address: string): number[] {
  const [head = "", tail] = dottedToGroups(address).split("::");
  const left = toGroups(head);
  if (tail === undefined) return left;
  const right = toGroups(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function toGroups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** `::ffff:192.0.2.1` has its last two groups in decimal. */
function dottedToGroups(address: string): string {
  const at = address.lastIndexOf(":") + 1;
  const dotted = address.slice(at);
  if (!dotted.includes(".")) return address;
  const [a = 0, b = 0, c = 0, d = 0] = dotted.split(".").map(Number);
  return `${address.slice(0, at)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

function embeddedIpv4(groups: readonly number[]): string | undefined {
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (!isMapped) return undefined;
  const [high = 0, low = 0] = groups.slice(6);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function networkOf(groups: readonly number[], subnet: number): string {
  const masked = groups.map((group, i) => {
    const bits = Math.min(16, Math.max(0, subnet - 16 * i));
    return group & (0xffff << (16 - bits)) & 0xffff;
  });
  while (masked.length > 0 && masked.at(-1) === 0) masked.pop();
  const shown = masked.map((group) => group.toString(16)).join(":");
  return `${shown}${masked.length === 8 ? "" : "::"}/${subnet}`;
}
