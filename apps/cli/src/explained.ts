import { SettingError } from '@mainstay/config';

/** Thrown for what a sentence explains: the sentence is printed and the command ends with status 1, without a stack. */
export class Explained extends Error {}

export function isExplained(error: unknown): error is Error {
  return error instanceof Explained || error instanceof SettingError;
}

/** The sentence for an error whose reader can mend it; null for a bug, of which the stack says more. */
export function sentenceFor(error: unknown): string | null {
  if (isExplained(error)) return error.message;
  const { code, severity, syscall, path, message, errors } = error as NodeJS.ErrnoException & { severity?: string; errors?: readonly Error[] };
  // A name with two addresses fails at both of them.
  if (syscall === 'connect' || syscall === 'getaddrinfo' || (errors !== undefined && code !== undefined)) {
    return `The database cannot be reached: ${message || errors?.[0]?.message}. Does it run, and is DATABASE_URL right?`;
  }
  // Classes of SQLSTATE: who one is, and a database that is not there.
  if (severity === 'FATAL' && /^(28|3D)/.test(code ?? '')) return `The database refuses the connection: ${message}. Is DATABASE_URL right?`;
  if (syscall !== undefined && path !== undefined) return `The system refuses: ${message}`;
  return null;
}
