import { useState } from 'react';
import { useAction } from '../action.ts';
import { askAuth } from '../api.ts';
import type { User } from '../contracts.ts';
import { links } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { Choices, FormDialog } from '../ui/form-dialog.tsx';
import { useNow } from '../ui/now.ts';
import { go } from '../use-route.ts';
import { isBanned, nameOf } from './describe-user.ts';
import { MakeLink } from './make-link.tsx';

type Wish = 'link' | 'ban' | 'unban' | 'delete';

/** What an administrator can do about an account. */
export function UserActions({ user, reload }: { user: User; reload: () => void }) {
  const [wish, setWish] = useState<Wish | null>(null);
  const now = useNow();
  const close = (): void => setWish(null);
  const isDeleted = user.deleted_at !== undefined;
  return (
    <>
      {user.email === '' || isDeleted ? null : <button type="button" className="button" onClick={() => setWish('link')}>Make a link</button>}
      {isDeleted ? null : isBanned(user, now) ? (
        <button type="button" className="button" onClick={() => setWish('unban')}>Lift the ban</button>
      ) : (
        <button type="button" className="button" onClick={() => setWish('ban')}>Ban</button>
      )}
      <button type="button" className="button" onClick={() => setWish('delete')}>Delete</button>
      {wish === 'link' ? <MakeLink user={user} close={close} /> : null}
      {wish === 'ban' ? <BanUser user={user} close={close} done={reload} /> : null}
      {wish === 'unban' ? <LiftBan user={user} close={close} done={reload} /> : null}
      {wish === 'delete' ? <DeleteUser user={user} close={close} done={reload} /> : null}
    </>
  );
}

interface Props {
  readonly user: User;
  readonly close: () => void;
  readonly done: () => void;
}

const bans = [
  { value: '24h', label: 'For a day', hint: 'It ends by itself.' },
  { value: '168h', label: 'For a week', hint: 'It ends by itself.' },
  { value: '720h', label: 'For 30 days', hint: 'It ends by itself.' },
  { value: '876000h', label: 'Until it is lifted', hint: 'It lasts until somebody lifts it here.' },
] as const;

function BanUser({ user, close, done }: Props) {
  const [length, setLength] = useState<(typeof bans)[number]['value']>('24h');
  const banning = useAction(async () => {
    await askAuth(`/admin/users/${user.id}`, { method: 'PUT', json: { ban_duration: length } });
    announce(`${nameOf(user)} is banned`);
    close();
    done();
  });
  return (
    <FormDialog title={`Ban ${nameOf(user)}?`} yes="Ban" busy="Banning…" action={banning} close={close} isDanger>
      <p>They cannot sign in or refresh a session while the ban lasts. An access token that was given out already is good for data until it expires, an hour at most by default.</p>
      <Choices legend="How long" options={bans} value={length} change={setLength} />
    </FormDialog>
  );
}

function LiftBan({ user, close, done }: Props) {
  const lifting = useAction(async () => {
    await askAuth(`/admin/users/${user.id}`, { method: 'PUT', json: { ban_duration: 'none' } });
    announce(`The ban of ${nameOf(user)} is lifted`);
    close();
    done();
  });
  return (
    <FormDialog title={`Lift the ban of ${nameOf(user)}?`} yes="Lift the ban" busy="Lifting…" action={lifting} close={close}>
      <p>They may sign in again at once.</p>
    </FormDialog>
  );
}

const ways = [
  { value: 'whole', label: 'Delete everything', hint: 'The account and what belongs to it are gone; rows of yours that refer to it go or refuse, as their foreign key says.' },
  { value: 'soft', label: 'Keep an empty row', hint: 'What tells the person is removed and no one can sign in any more; the id stays for what refers to it.' },
] as const;

function DeleteUser({ user, close, done }: Props) {
  const [way, setWay] = useState<(typeof ways)[number]['value']>('whole');
  const isSoft = way === 'soft';
  const deleting = useAction(async () => {
    await askAuth(`/admin/users/${user.id}`, { method: 'DELETE', json: { should_soft_delete: isSoft } });
    announce(`${nameOf(user)} is deleted`);
    close();
    if (isSoft) done();
    else go(links.users(), { replace: true });
  });
  if (user.deleted_at !== undefined) {
    return <Confirm title="Delete what is left?" yes="Delete the row" no="Keep it" action={deleting} close={close}>The row of this account goes too; rows of yours that refer to it go or refuse, as their foreign key says.</Confirm>;
  }
  return (
    <FormDialog title={`Delete ${nameOf(user)}?`} yes="Delete" busy="Deleting…" action={deleting} close={close} isDanger>
      <p>This cannot be undone. Every session ends.</p>
      <Choices legend="How" options={ways} value={way} change={setWay} />
    </FormDialog>
  );
}
