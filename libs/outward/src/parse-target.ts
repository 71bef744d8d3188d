import { isIP } from 'node:net';
import { OutwardRefusal } from './refusals.ts';

/** Where a call goes, once its URL has been read. */
export interface Target {
  readonly protocol: 'http:' | 'https:';
  /** A name in small letters without a dot at its end, or an address without brackets. */
  readonly host: string;
  readonly isAddress: boolean;
  readonly port: number;
  /** As it is sent as `Host`: with brackets, and with a port that is not the scheme's own. */
  readonly origin: string;
  /** Path and query. */
  readonly path: string;
}

const mostUrlLength = 8192;

/** Reads a URL as browsers do, which is what turns all the ways of writing an IPv4 address into one. @throws OutwardRefusal */
export function parseTarget(text: string): Target {
  // A URL parser leaves these out without a word; whoever sent them meant something else, or nothing good.
  if (/[\u0000-\u0020\u007f\u0085\u00a0\u2028\u2029\\]/.test(text)) throw new OutwardRefusal('url_not_valid', 'The URL has a space, a control character or a backslash in it');
  if (text.length > mostUrlLength) throw new OutwardRefusal('url_not_valid', `The URL is longer than ${mostUrlLength} characters`);
  if (!URL.canParse(text)) throw new OutwardRefusal('url_not_valid', `"${text.slice(0, 200)}" is no absolute URL`);
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new OutwardRefusal('scheme_refused', `Only http and https are called, not ${url.protocol.slice(0, 32)}`);
  if (url.username !== '' || url.password !== '') throw new OutwardRefusal('userinfo_refused', 'A URL with a user name or password is not called: use the header authorization');
  const host = hostOf(url);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const isAddress = isIP(host) !== 0;
  return { protocol: url.protocol, host, isAddress, port, origin: originOf(url, host), path: `${url.pathname}${url.search}` };
}

function hostOf(url: URL): string {
  const bare = url.hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '');
  if (bare === '' || bare.length > 253 || bare.includes('..')) throw new OutwardRefusal('url_not_valid', 'The URL names no host');
  return bare;
}

function originOf(url: URL, host: string): string {
  const written = isIP(host) === 6 ? `[${host}]` : host;
  return `${url.protocol}//${written}${url.port === '' ? '' : `:${url.port}`}`;
}
