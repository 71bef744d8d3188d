import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '@mainstay/config';
import { fault } from './faults.ts';
import { fetchWithin } from './outgoing.ts';
import { refuseWeakPassword, weaknessOf, type Weakness } from './passwords.ts';

type RuleSettings = Pick<Settings, 'passwordMinLength' | 'passwordRequiredCharacters' | 'breachedPasswords' | 'hibpEnabled' | 'hibpFailClosed'>;

const pwnedPasswords = 'https://api.pwnedpasswords.com/range/';
const askTimeoutMs = 3000;

/** Which passwords may be chosen. */
export class PasswordRules {
  private readonly sets: readonly string[];
  private readonly breachedAt: string | null;

  constructor(private readonly settings: RuleSettings) {
    this.sets = splitSets(settings.passwordRequiredCharacters);
    this.breachedAt = settings.breachedPasswords ?? (settings.hibpEnabled ? pwnedPasswords : null);
  }

  /** @throws Fault `weak_password` with every reason, or `validation_failed`: nobody may choose such a password. */
  async refuseWeak(password: string): Promise<void> {
    // Length in bytes and NUL first: what no verifier could take.
    refuseWeakPassword(password, 0);
    const weakness = await this.weaknessOf(password);
    if (weakness !== null) throw fault('weak_password', { message: weakness.message, details: { reasons: weakness.reasons } });
  }

  /** What speaks against a password, or null; for one that just let its owner in, the list of breached ones is not asked. */
  weaknessOfUsed(password: string): Weakness | null {
    return joined(this.plainWeaknesses(password));
  }

  private async weaknessOf(password: string): Promise<Weakness | null> {
    const plain = this.plainWeaknesses(password);
    if (plain.length > 0 || this.breachedAt === null) return joined(plain);
    return (await this.isBreached(password, this.breachedAt)) ? { message: 'Password is known to be weak and easy to guess, please choose a different one.', reasons: ['pwned'] } : null;
  }

  private plainWeaknesses(password: string): Weakness[] {
    const short = weaknessOf(password, this.settings.passwordMinLength);
    const lacks = this.sets.some((set) => ![...password].some((letter) => set.includes(letter)));
    const characters: Weakness = { message: `Password should contain at least one character of each: ${this.sets.join(', ')}.`, reasons: ['characters'] };
    return [...(short === null ? [] : [short]), ...(lacks ? [characters] : [])];
  }

  /** Only five digits of the digest leave the house; the list answers with all that begin so. */
  private async isBreached(password: string, place: string): Promise<boolean> {
    const digest = createHash('sha1').update(password).digest('hex').toUpperCase();
    try {
      const lines = await this.rangeOf(digest.slice(0, 5), place);
      return lines.split(/\r?\n/).some((line) => {
        const [suffix, count = '1'] = line.trim().toUpperCase().split(':');
        // Padding that the list sends along counts nought.
        return suffix === digest.slice(5) && Number(count) > 0;
      });
    } catch (error) {
      if (!this.settings.hibpFailClosed) return false;
      throw fault('unexpected_failure', { message: 'Unable to perform password strength check with HaveIBeenPwned.org.', cause: error });
    }
  }

  private async rangeOf(prefix: string, place: string): Promise<string> {
    if (/^https?:/.test(place)) {
      const answer = await fetchWithin(`${place.replace(/\/*$/, '/')}${prefix}`, { headers: { 'add-padding': 'true', 'user-agent': 'mainstay' }, signal: AbortSignal.timeout(askTimeoutMs) });
      if (!answer.ok) throw new Error(`the list of breached passwords answered ${answer.status}`);
      return answer.text();
    }
    const read = (name: string) => readFile(join(place, name), 'utf8');
    return read(`${prefix}.txt`).catch(() => read(prefix)).catch((error: NodeJS.ErrnoException) => {
      // No file for these digits: nothing that begins so was breached.
      if (error.code === 'ENOENT') return '';
      throw error;
    });
  }
}

function joined(weaknesses: readonly Weakness[]): Weakness | null {
  if (weaknesses.length === 0) return null;
  return { message: weaknesses.map(({ message }) => message).join(' '), reasons: weaknesses.flatMap(({ reasons }) => reasons) };
}

/** Sets stand between colons; `\:` is a colon of a set. */
function splitSets(text: string): string[] {
  return text.split(/(?<!\\):/).map((set) => set.replaceAll('\\:', ':')).filter((set) => set !== '');
}
