import type { Collection } from '../contracts.ts';

/** Who may read a collection, as far as its policies tell without reading their conditions. */
export interface Readers {
  readonly label: string;
  readonly meaning: string;
  /** True where rows may be open to more than the owner thinks. */
  readonly isOpen: boolean;
}

export function whoMayRead({ kind, has_row_security, policies }: Pick<Collection, 'kind' | 'has_row_security' | 'policies'>): Readers {
  if (kind !== 'table' && kind !== 'partitioned table') return { label: 'As its source', meaning: `A ${kind} shows what the collections behind it allow.`, isOpen: false };
  if (!has_row_security) {
    return { label: 'No row security', meaning: 'Row-level security is off: whoever has a grant sees every row. Turn it on with “alter table … enable row level security”.', isOpen: true };
  }
  const roles = new Set(policies.filter(({ command }) => /^(select|all|r|\*)$/i.test(command)).flatMap((policy) => policy.roles));
  if (roles.has('anon') || roles.has('public')) return { label: 'Everyone', meaning: 'A policy lets guests read, as far as its condition allows.', isOpen: false };
  if (roles.has('authenticated')) return { label: 'Signed-in users', meaning: 'A policy lets signed-in users read, as far as its condition allows.', isOpen: false };
  if (roles.size > 0) return { label: [...roles].join(', '), meaning: 'Policies let these roles read, as far as their conditions allow.', isOpen: false };
  return { label: 'Service key only', meaning: 'Row-level security is on and no policy lets anybody read, so only the service key does.', isOpen: false };
}
