import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Everything that IPv6 gives to the public lies in here; compatible, mapped, translated and local addresses do not. */
const globalUnicast = ipaddr.parseCIDR('2000::/3') as [ipaddr.IPv6, number];

const words: Readonly<Record<string, string>> = {
  unspecified: 'this machine',
  broadcast: 'everybody at once',
  multicast: 'multicast',
  linkLocal: 'link-local, where clouds keep their metadata',
  loopback: 'loopback',
  carrierGradeNat: 'shared by a carrier',
  private: 'private',
  reserved: 'reserved',
  uniqueLocal: 'private',
  ipv4Mapped: 'an IPv4 address inside an IPv6 one',
  rfc6145: 'an IPv4 address inside an IPv6 one',
  rfc6052: 'an IPv4 address inside an IPv6 one',
  '6to4': 'an IPv4 address inside an IPv6 one',
  teredo: 'an IPv4 address inside an IPv6 one',
  deprecatedSiteLocal: 'private',
};

/**
 * Why an address is nowhere in the public internet, in a word; null for one that is. Only what is known to be public passes:
 * also an IPv6 address that carries a public IPv4 one is refused, since who translates it decides where it leads.
 */
export function whyNotPublic(address: string): string | null {
  // A zone names an interface of this machine.
  if (isIP(address) === 0 || address.includes('%')) return 'not an address';
  const parsed = ipaddr.parse(address);
  const range = parsed.range();
  if (range !== 'unicast') return words[range] ?? 'not for the public';
  if (parsed.kind() === 'ipv6' && !(parsed as ipaddr.IPv6).match(globalUnicast)) return 'not for the public';
  return null;
}

/** One way of writing for each address: as it stands in a URL, without brackets. */
export function canonicalAddress(address: string): string {
  const parsed = ipaddr.parse(address);
  if (parsed.kind() === 'ipv6' && (parsed as ipaddr.IPv6).isIPv4MappedAddress()) return (parsed as ipaddr.IPv6).toIPv4Address().toString();
  return parsed.toString();
}
