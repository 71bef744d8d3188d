import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Extensions of PostgreSQL's own contrib that only a superuser may create as they are shipped, and that projects create all the same.
 * A name comes in here once its script was read: it must evaluate nothing that a hostile schema could shadow,
 * and its functions must do nothing that their caller could not do otherwise.
 */
export const trustedContrib = ['autoinc', 'dblink', 'insert_username', 'moddatetime', 'pg_stat_statements', 'pgrowlocks', 'pgstattuple'] as const;

/** Writes control files that say `trusted` and lead to the server's own scripts; the server's files stay untouched. */
export function trustContrib(native: string, target: string): void {
  const source = join(native, 'share', 'postgresql', 'extension');
  for (const name of trustedContrib) {
    const control = join(source, `${name}.control`);
    if (!existsSync(control)) continue;
    const lines = [readFileSync(control, 'utf8').trimEnd(), 'trusted = true', `directory = '${source.replaceAll("'", "''")}'`];
    writeFileSync(join(target, `${name}.control`), `${lines.join('\n')}\n`);
  }
}
