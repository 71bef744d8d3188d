import { useState } from 'react';
import { useAction } from '../action.ts';
import { askAuthJson } from '../api.ts';
import type { User } from '../contracts.ts';
import { links } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { FormDialog, TextField } from '../ui/form-dialog.tsx';
import { go } from '../use-route.ts';

/** A new account without a sign-up: by address or number, with or without a password. */
export function CreateUser({ close }: { close: () => void }) {
  const [address, setAddress] = useState('');
  const [password, setPassword] = useState('');
  const [isConfirmed, setConfirmed] = useState(true);
  const creating = useAction(async () => {
    const user = await askAuthJson<User>('/admin/users', { method: 'POST', json: newUser(address, password, isConfirmed) });
    announce('The user was created');
    close();
    go(links.user(user.id));
  });
  return (
    <FormDialog title="Create a user" yes="Create" busy="Creating…" action={creating} close={close}>
      <TextField label="E-mail address or phone number" hint="A number with its country’s code, such as +49 151 2345678." value={address} change={setAddress} required />
      <TextField label="Password" hint="May be left empty: then they sign in by a link, or by a password that they choose after a recovery." type="password" autoComplete="new-password" value={password} change={setPassword} />
      <label className="check">
        <input type="checkbox" checked={isConfirmed} onChange={(event) => setConfirmed(event.target.checked)} />
        The address is theirs; it needs no confirmation
      </label>
    </FormDialog>
  );
}

function newUser(text: string, password: string, isConfirmed: boolean): Readonly<Record<string, unknown>> {
  const address = text.trim();
  const who = address.includes('@') ? { email: address, email_confirm: isConfirmed } : { phone: address.replaceAll(/[\s()/-]/g, ''), phone_confirm: isConfirmed };
  return { ...who, ...(password === '' ? {} : { password }) };
}
