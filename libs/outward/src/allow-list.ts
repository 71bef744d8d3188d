import { isIP } from 'node:net';
import { SettingError } from '@mainstay/config';
import ipaddr from 'ipaddr.js';
import { canonicalAddress } from './address-ranges.ts';

type Entry =
  /** A name or an address, on one port or (null) on any. */
  | { readonly kind: 'host'; readonly host: string; readonly port: number | null }
  | { readonly kind: 'range'; readonly range: [ipaddr.IPv4 | ipaddr.IPv6, number] };

/** The inner services that may be called, as the operator named them: `host`, `host:port`, `address`, `[address]:port`, a CIDR range. */
export class AllowList {
  private readonly entries: readonly Entry[];

  /** @throws SettingError that names the wrong entry */
  constructor(entries: readonly string[]) {
    this.entries = entries.map(parseEntry);
  }

  /** A name that the operator trusts wherever it leads. */
  hasName(name: string, port: number): boolean {
    return this.entries.some((entry) => entry.kind === 'host' && entry.host === name && (entry.port ?? port) === port);
  }

  /** An address in a range that the operator trusts, or trusted by itself. */
  hasAddress(address: string, port: number): boolean {
    const canonical = canonicalAddress(address);
    const parsed = ipaddr.parse(canonical);
    return this.entries.some((entry) => {
      if (entry.kind === 'host') return entry.host === canonical && (entry.port ?? port) === port;
      return entry.range[0].kind() === parsed.kind() && parsed.match(entry.range);
    });
  }
}

const right = 'each entry must be a host, host:port, an address, [IPv6]:port or a range such as 10.0.0.0/8';

function parseEntry(text: string): Entry {
  const entry = text.toLowerCase();
  if (ipaddr.isValidCIDR(entry)) return { kind: 'range', range: ipaddr.parseCIDR(entry) };
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([^[\]/\s]+?))(?::(\d{1,5}))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? [];
  const host = bracketed ?? plain;
  const isPort = port === undefined || (Number(port) > 0 && Number(port) < 65_536);
  if (host === undefined || !isPort || !(isIP(host) !== 0 || (bracketed === undefined && /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(host) && !/^[\d.]+$/.test(host)))) {
    throw new SettingError(`MAINSTAY_OUTWARD_ALLOW is not right: "${text}" is no such entry; ${right}.`);
  }
  return { kind: 'host', host: isIP(host) === 0 ? host : canonicalAddress(host), port: port === undefined ? null : Number(port) };
}
