import { resolve } from 'node:path';
import { readSettings, type Settings } from '@mainstay/config';
import { ProjectFault, readProjectConfig, readProjectNotes } from '@mainstay/persistence';
import { Explained } from './explained.ts';
import { applyProjectFiles } from './migrate.ts';

/** What the project folder of MAINSTAY_PROJECT says of our settings in its `supabase/config.toml`; nothing where there is none. */
export function projectSettings(environment: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const { project } = readSettings(environment);
  return project === null ? {} : explained(() => readProjectConfig(resolve(project), environment));
}

/** Applies the project's migrations before the api starts, so that it never serves half a schema. Gives what is worth saying. */
export async function applyProject(settings: Settings): Promise<string[]> {
  const notes: string[] = [...readProjectNotes(resolve(settings.project!), process.env)];
  try {
    await applyProjectFiles(settings, resolve(settings.project!), { tell: (sentence) => void notes.push(sentence) });
  } catch (error) {
    throw error instanceof ProjectFault ? new Explained(error.message, { cause: error }) : error;
  }
  return notes;
}

function explained<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof ProjectFault ? new Explained(error.message, { cause: error }) : error;
  }
}
