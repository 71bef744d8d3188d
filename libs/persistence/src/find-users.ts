import type { Transaction } from './statement.ts';

/** By what a list of accounts may be sorted. */
export const userSortFields = ['created_at', 'updated_at', 'last_sign_in_at', 'email'] as const;

export interface UserSearch {
  /** Part of an address, a number or a name, or a whole id; empty finds everybody. */
  readonly filter: string;
  readonly sort: { readonly field: (typeof userSortFields)[number]; readonly isAscending: boolean };
  readonly page: number;
  readonly perPage: number;
}

/** The ids of one page of accounts, and how many there are in all. A page behind the last is empty. */
export async function findUserIds(tx: Pick<Transaction, 'rows'>, { filter, sort, page, perPage }: UserSearch): Promise<{ readonly ids: readonly string[]; readonly total: number }> {
  const pattern = filter === '' ? null : `%${filter.replace(/[\\%_]/g, '\\$&')}%`;
  const number = /^\+?[\d ]{3,}$/.test(filter) ? `%${filter.replace(/[+ ]/g, '')}%` : null;
  const values = [pattern, number, filter.toLowerCase()];
  const direction = sort.isAscending ? 'asc nulls first' : 'desc nulls last';
  const rows = await tx.rows<{ id: string }>(`select id from auth.users where ${matching} order by ${sort.field} ${direction}, id limit $4 offset $5`, [...values, perPage, (page - 1) * perPage]);
  const [counted] = await tx.rows<{ total: number }>(`select count(*)::int as total from auth.users where ${matching}`, values);
  return { ids: rows.map(({ id }) => id), total: counted!.total };
}

/** Nothing in it depends on the filter, so the values are all that a request brings. */
const matching = `($1::text is null or email::text ilike $1 or phone like $2::text or raw_user_meta_data ->> 'full_name' ilike $1 or raw_user_meta_data ->> 'name' ilike $1 or id::text = $3::text)`;
