import type { Settings } from '@mainstay/config';

type RedirectSettings = Pick<Settings, 'siteUrl' | 'redirectAllowList'>;

/** Longer than any address that an application has, and short enough to compare with any glob. */
const maxLength = 2048;

/** Where to lead somebody: the first of these that is allowed, else the site. */
export function redirectTarget(settings: RedirectSettings, ...asked: readonly unknown[]): string {
  const allowed = asked.find((target): target is string => typeof target === 'string' && target !== '' && isAllowedRedirect(settings, target));
  return allowed ?? settings.siteUrl;
}

/** Whether a link may lead there: to the site itself, or to what the allow list names, exactly or as a glob. */
export function isAllowedRedirect({ siteUrl, redirectAllowList }: RedirectSettings, target: string): boolean {
  const url = soundUrl(target);
  if (url === null) return false;
  if (isOfSite(url, new URL(siteUrl))) return true;
  if (isForeignNumber(url)) return false;
  const text = comparable(target, url);
  return redirectAllowList.some((pattern) => matchesGlob(pattern, text));
}

/** Reads a target as a browser will. What a browser would read otherwise than it is written is refused. */
function soundUrl(target: string): URL | null {
  if (target.length > maxLength || /[\\\s\p{Cc}]/u.test(target) || !URL.canParse(target)) return null;
  const url = new URL(target);
  // "https:example.com" and "https:///example.com" lead to a host all the same, and so does a name before an @ mislead.
  if (isWeb(url) && !/^https?:\/\/[^/]/i.test(target)) return null;
  if (url.username !== '' || url.password !== '' || /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*@/i.test(target)) return null;
  return ['javascript:', 'data:', 'vbscript:', 'blob:', 'file:', 'about:'].includes(url.protocol) ? null : url;
}

/** A developer's own machine may serve the application at several ports; elsewhere another port is another application. */
function isOfSite(url: URL, site: URL): boolean {
  if (url.hostname !== site.hostname || url.protocol !== site.protocol) return false;
  return url.port === site.port || isLoopback(site.hostname);
}

function isWeb({ protocol }: URL): boolean {
  return protocol === 'http:' || protocol === 'https:';
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** A bare address never matches by a wildcard, but for one's own machine; browsers read many notations of numbers as addresses. */
function isForeignNumber(url: URL): boolean {
  if (!isWeb(url)) return false;
  const isNumber = /^\d+\.\d+\.\d+\.\d+$/.test(url.hostname) || url.hostname.startsWith('[');
  return isNumber && !isLoopback(url.hostname);
}

/** Without the fragment, in the form in which it will be followed: `/a/../b` is `/b`, and letters of a host are small. */
function comparable(target: string, url: URL): string {
  if (!isWeb(url)) return target.split('#')[0]!;
  const hasPath = /^https?:\/\/[^/?#]+\//i.test(target);
  return `${url.protocol}//${url.host}${hasPath ? url.pathname : url.pathname.replace(/^\/$/, '')}${url.search}`;
}

/**
 * Compares a whole text with a glob: `*` stands for any characters but `.` and `/`, `**` for any, `?` for one but those,
 * `[a-z]` and `[!a-z]` for one of a set, `{a,b}` for one of several, `\` takes the next character as it is.
 * Time grows with the product of both lengths at most, whatever they are.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  return alternatives(pattern).some((plain) => matchesPlain(parseGlob(plain), text));
}

/** Most patterns that braces may stand for. */
const maxAlternatives = 256;

/** Writes `{a,b}` out, the innermost first. */
function alternatives(pattern: string): string[] {
  const found = [pattern];
  for (let index = 0; index < found.length && found.length < maxAlternatives; ) {
    const braces = /(?<!\\)\{((?:[^{}\\]|\\.)*)\}/.exec(found[index]!);
    if (braces === null) {
      index += 1;
      continue;
    }
    const [whole, inside] = braces;
    const [before, after] = [found[index]!.slice(0, braces.index), found[index]!.slice(braces.index + whole.length)];
    found.splice(index, 1, ...inside!.split(/(?<!\\),/).map((choice) => before + choice + after));
  }
  return found;
}

type Piece = { readonly kind: 'many' | 'manyOfPart' } | { readonly kind: 'one'; readonly fits: (letter: string) => boolean };

function parseGlob(pattern: string): Piece[] {
  const pieces: Piece[] = [];
  const isPart = (letter: string): boolean => letter !== '.' && letter !== '/';
  for (const [token] of pattern.matchAll(/\\.|\*\*+|\*|\?|\[!?[^\]]+\]|[\s\S]/gu)) {
    if (token.startsWith('**')) pieces.push({ kind: 'many' });
    else if (token === '*') pieces.push({ kind: 'manyOfPart' });
    else if (token === '?') pieces.push({ kind: 'one', fits: isPart });
    else if (token.length > 2 && token.startsWith('[')) pieces.push({ kind: 'one', fits: setOf(token.slice(1, -1)) });
    else pieces.push({ kind: 'one', fits: exactly(token.length === 2 && token.startsWith('\\') ? token[1]! : token) });
  }
  return pieces;
}

function exactly(wanted: string): (letter: string) => boolean {
  return (letter) => letter === wanted;
}

function setOf(inside: string): (letter: string) => boolean {
  const isNegated = inside.startsWith('!');
  const ranges = [...(isNegated ? inside.slice(1) : inside).matchAll(/([\s\S])-([\s\S])|([\s\S])/gu)].map(([, from, to, single]) => [from ?? single!, to ?? single!] as const);
  return (letter) => ranges.some(([from, to]) => letter >= from && letter <= to) !== isNegated;
}

/** Keeps every place of the pattern that the text so far can have led to; there is no way back, so nothing explodes. */
function matchesPlain(pieces: readonly Piece[], text: string): boolean {
  let places = withSkips(pieces, new Set([0]));
  for (const letter of text) {
    const next = new Set<number>();
    for (const place of places) {
      const piece = pieces[place];
      if (piece === undefined) continue;
      if (piece.kind === 'one') {
        if (piece.fits(letter)) next.add(place + 1);
      } else if (piece.kind === 'many' || (letter !== '.' && letter !== '/')) next.add(place);
    }
    if (next.size === 0) return false;
    places = withSkips(pieces, next);
  }
  return places.has(pieces.length);
}

/** A star may also stand for nothing. */
function withSkips(pieces: readonly Piece[], places: Set<number>): Set<number> {
  for (const place of places) if (pieces[place] !== undefined && pieces[place].kind !== 'one') places.add(place + 1);
  return places;
}
