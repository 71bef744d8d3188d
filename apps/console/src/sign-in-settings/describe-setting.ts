import type { SignInSetting } from '../contracts.ts';
import { count, duration } from '../words.ts';

/** The value of a setting in words; a secret's is only whether there is one. */
export function valueInWords({ value, type, is_secret: isSecret, is_set: isSet, default_text: byDefault }: Pick<SignInSetting, 'value' | 'type' | 'is_secret' | 'is_set' | 'default_text'>): string {
  if (isSecret) return isSet ? 'set (secret)' : 'not set';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (!isSet && byDefault !== null && (isEmpty(value) || value === 0)) return byDefault;
  if (isEmpty(value)) return 'not set';
  if (typeof value === 'number') return isSpan(type) ? (value === 0 ? 'no limit' : duration(value)) : count(value);
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value === 'object') return Object.entries(value as Readonly<Record<string, unknown>>).map(([name, part]) => `${name}: ${String(part)}`).join(', ');
  return String(value);
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0) || (typeof value === 'object' && Object.keys(value).length === 0);
}

function isSpan(type: string): boolean {
  return type.startsWith('duration');
}

/** The settings that a search finds, by name and by meaning, in their groups. */
export function findSettings(settings: readonly SignInSetting[], search: string): ReadonlyMap<string, readonly SignInSetting[]> {
  const words = search.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const found = settings.filter((setting) => {
    const told = [setting.name, ...setting.synonyms, setting.meaning, setting.group].join(' ').toLowerCase();
    return words.every((word) => told.includes(word));
  });
  return Map.groupBy(found, ({ group }) => group);
}

/** Text with `names` between backticks, cut into what is code and what is not. */
export function cutCode(text: string): readonly { readonly text: string; readonly isCode: boolean }[] {
  return text.split('`').map((part, index) => ({ text: part, isCode: index % 2 === 1 })).filter((part) => part.text !== '');
}
