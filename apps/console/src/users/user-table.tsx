import type { User } from '../contracts.ts';
import { links } from '../route.ts';
import { Moment } from '../ui/moment.tsx';
import { useNow } from '../ui/now.ts';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { fullNameOf, nameOf, waysIn } from './describe-user.ts';
import { StandingTag } from './standing-tag.tsx';

/** Users as a table; null while they are on their way. */
export function UserTable({ users, isBusy }: { users: readonly User[] | null; isBusy: boolean }) {
  const now = useNow();
  return (
    <TableFrame label="Users" isBusy={isBusy}>
      <table className="table table-people">
        <thead>
          <tr>
            <th scope="col">User</th>
            <th scope="col">State</th>
            <th scope="col">Signs in by</th>
            <th scope="col">Last sign-in</th>
            <th scope="col">Created</th>
          </tr>
        </thead>
        {users === null ? <SkeletonRows columns={5} rows={8} /> : (
          <tbody>
            {users.map((user) => (
              <tr key={user.id}>
                <th scope="row">
                  <a href={links.user(user.id)}>{nameOf(user)}</a>
                  {fullNameOf(user) === null || user.deleted_at !== undefined ? null : <span className="second-line">{fullNameOf(user)}</span>}
                </th>
                <td><StandingTag user={user} now={now} /></td>
                <td>{waysIn(user)}</td>
                <td>{user.last_sign_in_at === undefined ? <span className="muted">never</span> : <Moment time={user.last_sign_in_at} />}</td>
                <td><Moment time={user.created_at} /></td>
              </tr>
            ))}
          </tbody>
        )}
      </table>
    </TableFrame>
  );
}
