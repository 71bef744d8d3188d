import { Secret } from 'otpauth';
import { FactorSecrets, makeDigits, makeLetters } from './factor-secrets.ts';
import { keptCredential, readCredential } from './kept-credential.ts';
import { makeAuthenticator, stepOf } from './totp.ts';

describe('codes of authenticator apps', () => {
  /** The secret of RFC 6238's appendix B; its codes have eight digits, of which apps show the last six. */
  const secret = new Secret({ buffer: new TextEncoder().encode('12345678901234567890').buffer }).base32;

  it.each([
    [59, '287082', 1],
    [1_111_111_109, '081804', 37_037_036],
    [1_234_567_890, '005924', 41_152_263],
    [20_000_000_000, '353130', 666_666_666],
  ])('at %i the code is %s, of step %i', (seconds, code, step) => {
    expect(stepOf(secret, code, seconds * 1000)).toBe(step);
    expect(stepOf(secret, code, (seconds + 30) * 1000)).toBe(step);
    expect(stepOf(secret, code, (seconds - 30) * 1000)).toBe(step);
    expect(stepOf(secret, code, (seconds + 60) * 1000)).toBeNull();
    expect(stepOf(secret, code, (seconds - 60) * 1000)).toBeNull();
  });

  it.each([[''], ['28708'], ['2870820'], ['28708２'], ['abcdef'], ['287082 ']])('%j is none', (code) => {
    expect(stepOf(secret, code, 59_000)).toBeNull();
  });

  it('secrets are read as people write them', () => {
    expect(stepOf(` ${secret.toLowerCase().replace(/(.{4})/g, '$1 ')}`, '287082', 59_000)).toBe(1);
  });

  it('a new authenticator has a secret of its own, and a picture without a character that ends a data URI', () => {
    const [one, other] = [makeAuthenticator('Shop: Zürich & co', 'a+b@example.com'), makeAuthenticator('', 'x')];
    expect(one.secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(one.secret).not.toBe(other.secret);
    expect(new URL(one.uri).searchParams.get('issuer')).toBe('Shop: Zürich & co');
    expect(one.qrCode).not.toMatch(/[#%]/);
  });
});

describe('secrets of factors', () => {
  const secrets = new FactorSecrets('a secret of thirty-two characters!');

  it('are sealed anew each time, and opened for their factor and by their key alone', () => {
    const sealed = secrets.seal('one', 'JBSWY3DPEHPK3PXP');
    expect(sealed).not.toBe(secrets.seal('one', 'JBSWY3DPEHPK3PXP'));
    expect(secrets.open('one', sealed)).toBe('JBSWY3DPEHPK3PXP');
    expect(() => secrets.open('two', sealed)).toThrow();
    expect(() => new FactorSecrets('another secret of that many characters').open('one', sealed)).toThrow();
    expect(() => secrets.open('one', `${sealed.slice(0, -4)}AAAA`)).toThrow();
  });

  it('are read as they are where another system wrote them', () => {
    expect(secrets.open('one', 'JBSWY3DPEHPK3PXP')).toBe('JBSWY3DPEHPK3PXP');
  });

  it('codes are known by a digest of what they belong to', () => {
    const digest = secrets.digestOf('one', '123456');
    expect([secrets.isDigestOf(digest, 'one', '123456'), secrets.isDigestOf(digest, 'two', '123456'), secrets.isDigestOf(digest, 'one', '123457'), secrets.isDigestOf('', 'one', '123456')]).toEqual([true, false, false, false]);
  });

  it('digits keep their zeros, and letters are none that is read as another', () => {
    expect(Array.from({ length: 200 }, () => makeDigits(6)).every((code) => /^\d{6}$/.test(code))).toBe(true);
    expect(Array.from({ length: 200 }, () => makeLetters(16)).every((code) => /^[a-z2-9]{16}$/.test(code) && !/[ilou01]/.test(code))).toBe(true);
  });
});

describe('credentials of security keys', () => {
  /** As GoTrue writes them. */
  const kept = { id: 'q83v+/8=', publicKey: 'AQID', attestationType: 'none', transport: ['usb'], flags: { userPresent: true, backupState: false }, authenticator: { AAGUID: 'AAAAAAAAAAAAAAAAAAAAAA==', signCount: 7, cloneWarning: false } };

  it('are read in GoTrue’s form, and keep what they had when their counter moves on', () => {
    expect(readCredential(kept)).toEqual({ credentialId: 'q83v-_8', publicKey: 'AQID', signCount: 7, transports: ['usb'] });
    expect(keptCredential({ signCount: 8, isBackedUp: true }, kept)).toEqual({ ...kept, flags: { userPresent: true, backupState: true }, authenticator: { ...kept.authenticator, signCount: 8 } });
  });

  it('are written so that they are read again', () => {
    const made = { credentialId: 'q83v-_8', publicKey: 'AQID', signCount: 0, transports: ['internal'], aaguid: '00112233-4455-6677-8899-aabbccddeeff', attestationType: 'none', isBackupEligible: true, isBackedUp: false, isUserVerified: true };
    expect(readCredential(keptCredential(made))).toEqual({ credentialId: 'q83v-_8', publicKey: 'AQID', signCount: 0, transports: ['internal'] });
  });

  it.each([[null], ['text'], [{}], [{ id: 1, publicKey: 'AQID' }]])('%j is none', (value) => {
    expect(readCredential(value)).toBeNull();
  });
});
