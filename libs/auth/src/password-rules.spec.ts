import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Captcha } from './captcha.ts';
import { PasswordRules } from './password-rules.ts';

const lax = { passwordMinLength: 6, passwordRequiredCharacters: '', breachedPasswords: null, hibpEnabled: false, hibpFailClosed: false };
const reasonsOf = (more: object, password: string): Promise<readonly string[]> =>
  new PasswordRules({ ...lax, ...more }).refuseWeak(password).then(() => [], (error: { code: string; details: { reasons: string[] } }) => (error.code === 'weak_password' ? error.details.reasons : [error.code]));

/** A server of one's own that answers each path with a text. */
async function serving<T>(answer: (path: string, body: string) => { status?: number; text: string }, work: (url: string) => Promise<T>): Promise<T> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk)).on('end', () => {
      const { status = 200, text } = answer(request.url!, body);
      response.writeHead(status, { 'content-type': 'application/json' }).end(text);
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

describe('a new password', () => {
  const sets = { passwordRequiredCharacters: 'abcdefghijklmnopqrstuvwxyz:0123456789:\\:!' };
  it.each<[object, string, string[]]>([
    [{}, 'abcdef', []],
    [{}, 'abcde', ['length']],
    [sets, 'abcdef1!', []],
    [sets, 'abcdef1:', []],
    [sets, 'abcdefg1', ['characters']],
    [sets, 'a', ['length', 'characters']],
    [{}, 'x'.repeat(73), ['validation_failed']],
    [{}, 'abcdef\0', ['validation_failed']],
  ])('%j %j: %j', async (more, password, reasons) => expect(await reasonsOf(more, password)).toEqual(reasons));

  const digest = createHash('sha1').update('password').digest('hex').toUpperCase();
  const range = `00000000000000000000000000000000000:3\r\n${digest.slice(5)}:9659365\r\n`;

  it('that is known to be breached is refused, and only five digits of its digest are told', async () => {
    const asked: string[] = [];
    await serving((path) => (asked.push(path), { text: range }), async (url) => {
      expect(await reasonsOf({ breachedPasswords: `${url}/range/` }, 'password')).toEqual(['pwned']);
      expect(await reasonsOf({ breachedPasswords: `${url}/range` }, 'something else')).toEqual([]);
    });
    expect(asked[0]).toBe(`/range/${digest.slice(0, 5)}`);
  });

  it('by files of one’s own', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'breached-'));
    writeFileSync(join(folder, `${digest.slice(0, 5)}.txt`), `${digest.slice(5)}:1`);
    expect(await reasonsOf({ breachedPasswords: folder }, 'password')).toEqual(['pwned']);
    expect(await reasonsOf({ breachedPasswords: folder, hibpFailClosed: true }, 'something else')).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  it('when the list is away, is taken or refused as it is set', async () => {
    await serving(() => ({ status: 500, text: '' }), async (url) => {
      expect(await reasonsOf({ breachedPasswords: url }, 'password')).toEqual([]);
      expect(await reasonsOf({ breachedPasswords: url, hibpFailClosed: true }, 'password')).toEqual(['unexpected_failure']);
    });
  });
});

describe('a captcha', () => {
  const ask = (url: string, token: string): Promise<string> =>
    new Captcha({ captchaEnabled: true, captchaProvider: 'turnstile', captchaSecret: 'shh', captchaVerifierUrl: url }).refuseUnproved(token, '203.0.113.1').then(() => 'passed', (error: { code: string; message: string }) => `${error.code} ${error.message}`);

  it('is proved by its verifier', async () => {
    const seen: string[] = [];
    await serving((_, body) => (seen.push(body), { text: body.includes('response=good') ? '{"success":true}' : '{"success":false,"error-codes":["timeout-or-duplicate"]}' }), async (url) => {
      expect(await ask(url, 'good')).toBe('passed');
      expect(await ask(url, 'bad')).toBe('captcha_failed captcha protection: request disallowed (timeout-or-duplicate)');
      expect(await ask(url, '')).toMatch(/^captcha_failed/);
    });
    expect(seen).toEqual(['secret=shh&response=good&remoteip=203.0.113.1', 'secret=shh&response=bad&remoteip=203.0.113.1']);
  });

  it('lets nobody in whose verifier is away or talks nonsense', async () => {
    expect(await ask('http://127.0.0.1:1', 'good')).toMatch(/^unexpected_failure/);
    await serving(() => ({ text: '[true]' }), async (url) => expect(await ask(url, 'good')).toMatch(/^captcha_failed/));
    await serving(() => ({ text: '<html>' }), async (url) => expect(await ask(url, 'good')).toMatch(/^unexpected_failure/));
  });
});
