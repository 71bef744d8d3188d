import { settings } from './settings.ts';

type Closest = (name: string, candidates: Iterable<string>) => string | null;

/** Names that begin so are ours to read: our own, and those of what Mainstay takes the place of. */
const prefixes = ['MAINSTAY_', 'GOTRUE_', 'PGRST_'];

/** What is said between parts of ours, and to the tools around them. */
const ofTools = ['MAINSTAY_API', 'MAINSTAY_BROWSER', 'MAINSTAY_TEST_SETTINGS', 'MAINSTAY_WAITS'];

/**
 * What in an environment looks like a setting and is none: a sentence for each that is near to one, and one for all the others,
 * which may be right for the server that the environment was written for. Values are not told.
 * @param closest that of the domain; it is handed in, since tools read these settings without a compiler, and the domain has decorators
 */
export function unknownSettings(environment: Readonly<Record<string, string | undefined>>, closest: Closest): string[] {
  const rows = Object.values(settings);
  const names = rows.flatMap((row) => [row.name, ...row.synonyms]);
  const known = new Set([...names, ...ofTools]);
  const families = rows.filter((row) => row.readMany !== null).map((row) => row.name.slice(0, -1));
  const unknown = Object.keys(environment).filter((name) => prefixes.some((prefix) => name.startsWith(prefix)) && !known.has(name) && !families.some((beginning) => name.startsWith(beginning))).sort();
  const [near, far] = [new Map<string, string>(), [] as string[]];
  for (const name of unknown) {
    const meant = nearest(name, names, closest);
    if (meant === null) far.push(name);
    else near.set(name, meant);
  }
  return [...[...near].map(([name, meant]) => `${name} is no setting: did you mean ${meant}?`), ...(far.length === 0 ? [] : [`${far.join(', ')}: no ${far.length === 1 ? 'setting, it has' : 'settings, they have'} no effect here.`])];
}

/** Compared without what many names begin with, which would make all of them alike; another beginning may have been meant. */
function nearest(name: string, names: readonly string[], closest: Closest): string | null {
  const [prefix = '', rest] = [prefixes.find((each) => name.startsWith(each)), name.replace(/^[A-Z]+_/, '')];
  const alike = names.filter((each) => each.startsWith(prefix) && !each.endsWith('*'));
  const meant = closest(rest, alike.map((each) => each.slice(prefix.length)));
  if (meant !== null) return prefix + meant;
  return names.find((each) => each.replace(/^(MAINSTAY|GOTRUE|PGRST)_/, '') === rest) ?? null;
}
