import type { Metadata } from '@mainstay/persistence';
import { fault } from './faults.ts';

/** It travels in every access token, and a request's headers may be 32 KiB together: beyond this its owner could not even undo it. */
const maxUserBytes = 16 * 1024;
const maxDepth = 64;

/** Merges what a request changes into metadata: a value sets its key, null deletes it. */
export function mergeMetadata(current: Metadata | null | undefined, changes: Metadata): Metadata {
  const merged = new Map(Object.entries(current ?? {}));
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) merged.delete(key);
    else merged.set(key, value);
  }
  return Object.fromEntries(merged);
}

/** @throws Fault `validation_failed` when the user keeps more with the account than a token can carry. */
export function refuseOversize(metadata: Metadata): void {
  if (Buffer.byteLength(JSON.stringify(metadata)) > maxUserBytes) {
    throw fault('validation_failed', { message: `user_metadata is larger than ${maxUserBytes / 1024} KiB, and it travels in every access token: keep files and long texts in a table of yours` });
  }
}

/** Whether PostgreSQL can keep a text as it is: NUL it cannot, and half of a surrogate pair would reach it as another character. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/**
 * Refuses what PostgreSQL cannot keep as it is: NUL and half surrogates, in keys too, and nesting without end.
 * @throws Fault `validation_failed` that names the place.
 */
export function refuseUnstorable(value: unknown, place: string, depth = 0): void {
  if (typeof value === 'string' && !isStorable(value)) {
    throw fault('validation_failed', { message: `${place} has a character that cannot be stored: NUL or half of a surrogate pair` });
  }
  if (typeof value !== 'object' || value === null) return;
  if (depth >= maxDepth) throw fault('validation_failed', { message: `${place} is nested deeper than ${maxDepth} levels` });
  for (const [key, item] of Object.entries(value)) {
    refuseUnstorable(key, `a key of ${place}`);
    refuseUnstorable(item, Array.isArray(value) ? `${place}[${key}]` : `${place}.${key}`, depth + 1);
  }
}
