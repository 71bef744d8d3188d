import { useState } from 'react';
import { askAuth } from '../api.ts';
import type { User } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { Icon } from '../ui/icons.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Empty, Page } from '../ui/page.tsx';
import { Pager } from '../ui/pager.tsx';
import { SearchForm } from '../ui/search-form.tsx';
import { go } from '../use-route.ts';
import { CreateUser } from './create-user.tsx';
import { InviteUser } from './invite-user.tsx';
import { UserTable } from './user-table.tsx';

const pageSize = 50;

/** The accounts of the project: who may sign in, found by what one knows of them. */
export function UsersPage({ query }: { query: URLSearchParams }) {
  const search = query.get('search') ?? '';
  const page = Math.max(0, Number(query.get('page') ?? 1) - 1 || 0);
  const [dialog, setDialog] = useState<'create' | 'invite' | null>(null);
  const show = (next: { search?: string; page?: number }): void => go(links.users(usersQuery({ search, page: 0, ...next })));
  const path = `/admin/users?page=${page + 1}&per_page=${pageSize}${search === '' ? '' : `&filter=${encodeURIComponent(search)}`}`;
  const { value, stale, problem, reload } = useLive(path, (signal) => loadUsers(path, signal), () => 10_000);
  const close = (): void => setDialog(null);
  const shown = value ?? stale;
  return (
    <Page
      title="Users" lead="Who has an account here, and what they may." isWide
      actions={
        <>
          <button type="button" className="button" onClick={() => setDialog('invite')}>
            <Icon name="mailbox" />
            Invite
          </button>
          <button type="button" className="button button-primary" onClick={() => setDialog('create')}>
            <Icon name="plus" />
            Create a user
          </button>
        </>
      }
    >
      <SearchForm label="Find users" placeholder="Address, number, name or id" search={search} submit={(text) => show({ search: text })} />
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {problem !== null && shown === null ? null : value?.users.length === 0 ? (
        <NoUsers search={search} isLaterPage={page > 0} clear={() => show({ search: '' })} toFirst={() => show({})} create={() => setDialog('create')} />
      ) : (
        <>
          <UserTable users={shown?.users ?? null} isBusy={value === null} />
          <Pager page={page} pageSize={pageSize} shown={value?.users.length ?? null} total={value?.total ?? null} go={(to) => show({ page: to })} what="users" />
        </>
      )}
      {dialog === 'create' ? <CreateUser close={close} /> : null}
      {dialog === 'invite' ? <InviteUser close={close} invited={reload} /> : null}
    </Page>
  );
}

function usersQuery({ search, page }: { search: string; page: number }): string {
  return new URLSearchParams([...(search === '' ? [] : [['search', search]]), ...(page === 0 ? [] : [['page', String(page + 1)]])] as [string, string][]).toString();
}

async function loadUsers(path: string, signal: AbortSignal): Promise<{ users: readonly User[]; total: number | null }> {
  const response = await askAuth(path, { signal });
  const total = response.headers.get('x-total-count');
  return { users: ((await response.json()) as { users: readonly User[] }).users, total: total === null ? null : Number(total) };
}

function NoUsers({ search, isLaterPage, clear, toFirst, create }: { search: string; isLaterPage: boolean; clear: () => void; toFirst: () => void; create: () => void }) {
  if (isLaterPage) return <Empty title="This page is behind the last user" action={<button type="button" className="button" onClick={toFirst}>To the first page</button>}>Users may have been deleted meanwhile.</Empty>;
  if (search !== '') return <Empty title={`Nobody is found by “${search}”`} action={<button type="button" className="button" onClick={clear}>Show all users</button>}>A part of the address, the number or the name is enough; an id must be whole.</Empty>;
  return (
    <Empty title="No user yet" action={<button type="button" className="button button-primary" onClick={create}>Create a user</button>}>
      Users come by your application’s sign-up (<code>supabase.auth.signUp</code>), by an invitation, or are created here.
    </Empty>
  );
}
