import { SettingError } from '@mainstay/config';

/** Thrown for what a sentence explains: the sentence is printed and the command ends with status 1, without a stack. */
export class Explained extends Error {}

export function isExplained(error: unknown): error is Error {
  return error instanceof Explained || error instanceof SettingError;
}
