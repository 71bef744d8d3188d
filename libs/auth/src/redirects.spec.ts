import fc from 'fast-check';
import { isAllowedRedirect, matchesGlob, redirectTarget } from './redirects.ts';

const settings = {
  siteUrl: 'https://app.example.com',
  redirectAllowList: ['https://*.preview.example.com/**', 'https://other.example.com/done', 'myapp://callback', 'http://localhost:5173/**', 'https://example.org/[a-c]?{x,y}'],
};

describe('a link may lead', () => {
  it.each([
    'https://app.example.com', 'https://app.example.com/any/path?x=1#y', 'https://pr-1.preview.example.com/a/b.html', 'https://other.example.com/done', 'https://other.example.com/done#token',
    'myapp://callback', 'http://localhost:5173/auth', 'https://example.org/b1x', 'https://APP.example.com/',
  ])('to %s', (target) => expect(isAllowedRedirect(settings, target)).toBe(true));

  it.each([
    'https://evil.com', 'https://app.example.com.evil.com', 'https://app.example.com@evil.com', 'https://evil.com\\@app.example.com', 'https:evil.com', 'https:///evil.com', '//evil.com', '/relative',
    'http://app.example.com', 'https://app.example.com:8443/', 'https://x@app.example.com/', 'https://a.b.preview.example.com/', 'https://evil.com/.preview.example.com/', 'https://evil.com#.preview.example.com/',
    'https://evil.com?.preview.example.com/', 'https://other.example.com/done/more', 'https://other.example.com/x/../', 'javascript://app.example.com/%0aalert(1)', 'data:text/html,x', 'myapp://other',
    'https://example.org/d1x', 'https://example.org/b/x', 'https://app.example.com/\nx', ' https://app.example.com', 'https://2130706433/', 'https://10.0.0.1/', '', 'https://xpreview.example.com/',
  ])('not to %j', (target) => expect(isAllowedRedirect(settings, target)).toBe(false));

  it('no wildcard leads to an address that is no loopback', () => {
    const open = { siteUrl: 'https://app.example.com', redirectAllowList: ['http://**'] };
    expect(isAllowedRedirect(open, 'http://192.168.0.1/')).toBe(false);
    expect(isAllowedRedirect(open, 'http://127.0.0.1:3000/x')).toBe(true);
    expect(isAllowedRedirect(open, 'http://3232235521/')).toBe(false);
  });

  it('to any port of a developer’s own site', () => expect(isAllowedRedirect({ siteUrl: 'http://localhost:3000', redirectAllowList: [] }, 'http://localhost:8080/x')).toBe(true));

  it('to the site, where nothing else is right', () => expect(redirectTarget(settings, undefined, 'https://evil.com', null)).toBe('https://app.example.com'));
});

describe('globs', () => {
  const part = fc.stringMatching(/^[a-z0-9-]{1,12}$/);

  it('a star stays within its part of a name', () => {
    fc.assert(fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => matchesGlob('https://*.example.com', `https://${parts.join('.')}.example.com`) === (parts.length === 1)));
  });

  it('two stars match whatever stands there', () => {
    fc.assert(fc.property(fc.string(), (any) => matchesGlob('https://a.com/**', `https://a.com/${any}`)));
  });

  it('a pattern without signs matches itself alone', () => {
    fc.assert(fc.property(fc.stringMatching(/^[a-z:/.-]{0,20}$/), fc.stringMatching(/^[a-z:/.-]{0,20}$/), (one, other) => matchesGlob(one, other) === (one === other)));
  });

  it('no target that the list allows has another host than the list says', () => {
    const list = { siteUrl: 'https://site.example', redirectAllowList: ['https://*.good.example/**'] };
    const piece = fc.constantFrom('https://', 'http://', '/', '\\', '@', '.', ':', '#', '?', 'a', 'evil.com', 'x.good.example', 'site.example', '%2f', '..', '//', '\t');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
        const target = pieces.join('');
        return !isAllowedRedirect(list, target) || /^https:\/\/([^.]+\.good\.example|site\.example)$/.test(new URL(target).origin);
      }),
      { numRuns: 5000 },
    );
  });

  it('takes no longer for a hostile text', () => {
    const started = performance.now();
    matchesGlob('**a**a**a**a**a**a**b', 'a'.repeat(2000));
    expect(performance.now() - started).toBeLessThan(500);
  });
});
