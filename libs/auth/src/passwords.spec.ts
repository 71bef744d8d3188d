import * as argon2 from '@node-rs/argon2';
import * as bcrypt from '@node-rs/bcrypt';
import { isVerifiable, Passwords, refuseWeakPassword } from './passwords.ts';

const passwords = new Passwords();

describe('a password', () => {
  it('is hashed as argon2id with 19 MiB, two passes and one lane, and differently each time', async () => {
    const [first, second] = await Promise.all([passwords.hash('correct horse'), passwords.hash('correct horse')]);
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(first).not.toBe(second);
    expect(await passwords.verify('correct horse', first)).toEqual({ isRight: true, isOutdated: false });
    expect(await passwords.verify('correct horsf', first)).toEqual({ isRight: false, isOutdated: false });
  });

  it.each(['2a', '2b', '2y'] as const)('is verified against a $%s$ hash that somebody else wrote, which is then outdated', async (version) => {
    const hash = (await bcrypt.hash('password123', 4)).replace(/^\$2.\$/, `$${version}$`);
    expect(await passwords.verify('password123', hash)).toEqual({ isRight: true, isOutdated: true });
    expect(await passwords.verify('password124', hash)).toEqual({ isRight: false, isOutdated: false });
  });

  it('that is empty is nobody\'s, even where somebody stored its hash', async () => {
    expect(await passwords.verify('', await bcrypt.hash('', 4))).toMatchObject({ isRight: false });
  });

  it('is outdated when its argon2 is weaker than ours, or another variant', async () => {
    for (const terms of [{ algorithm: 2, memoryCost: 8192, timeCost: 2 }, { algorithm: 1, memoryCost: 19_456, timeCost: 2 }]) {
      const hash = await argon2.hash('pass', { ...terms, parallelism: 1 } as argon2.Options);
      expect(await passwords.verify('pass', hash)).toEqual({ isRight: true, isOutdated: true });
    }
  });

  it('with a NUL inside stands for no other, though bcrypt reads it in circles', async () => {
    const hash = await bcrypt.hash('ab', 4);
    expect(await bcrypt.verify('ab\0ab', hash)).toBe(true);
    expect(await passwords.verify('ab\0ab', hash)).toMatchObject({ isRight: false });
  });

  it('longer than bcrypt reads is not taken for its beginning', async () => {
    const hash = await bcrypt.hash('a'.repeat(72), 4);
    expect(await passwords.verify('a'.repeat(72), hash)).toMatchObject({ isRight: true });
    expect(await passwords.verify('a'.repeat(73), hash)).toMatchObject({ isRight: false });
  });

  it.each([[null], [''], ['plain'], ['$1$abc$def'], ['$2a$04$short'], ['$argon2id$v=19$m=19456,t=2,p=1$x'], ['$2a$31$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkY8jIucDrjc8deX1s.'], ['$argon2id$v=19$m=4194304,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA']])(
    'fits nothing where %j is stored', async (stored) => {
      for (const password of ['', 'plain', 'x']) expect(await passwords.verify(password, stored)).toEqual({ isRight: false, isOutdated: false });
      if (stored !== null) expect(isVerifiable(stored)).toBe(false);
    });

  it('of nobody takes as long to refuse as one of somebody', async () => {
    const hash = await passwords.hash('somebody');
    const medianMs = async (stored: string | null) => {
      const times: number[] = [];
      for (let i = 0; i < 9; i += 1) {
        const start = performance.now();
        await passwords.verify('a guess', stored);
        times.push(performance.now() - start);
      }
      return times.sort((a, b) => a - b)[4]!;
    };
    const [known, unknown] = [await medianMs(hash), await medianMs(null)];
    // Coarse, for a busy machine: without the dummy hash the second would be a thousandth of the first.
    expect(unknown / known).toBeGreaterThan(0.3);
  });
});

describe('hashing', () => {
  it('lets no more in at once than it has lanes, nor more wait than it has room for', async () => {
    const narrow = new Passwords(1, 2);
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => narrow.verify('x', null)));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected']);
    expect((results[4] as PromiseRejectedResult).reason).toMatchObject({ code: 'over_request_rate_limit', status: 429, headers: { 'retry-after': '2' } });
    await expect(narrow.verify('x', null)).resolves.toBeDefined();
  });
});

describe('a new password', () => {
  it.each([
    ['12345', 'weak_password', 'Password should be at least 6 characters.'],
    ['', 'weak_password', 'Password should be at least 6 characters.'],
    ['x'.repeat(73), 'validation_failed', 'Password cannot be longer than 72 characters'],
    ['ü'.repeat(37), 'validation_failed', 'Password cannot be longer than 72 characters'],
    ['1234567\0', 'validation_failed', 'Password cannot contain the character NUL'],
  ])('%j is refused', (password, code, message) => {
    expect(() => refuseWeakPassword(password, 6)).toThrow(expect.objectContaining({ code, message }));
  });

  it('of just the right length is taken', () => {
    for (const password of ['123456', 'ü'.repeat(36)]) expect(() => refuseWeakPassword(password, 6)).not.toThrow();
  });
});
