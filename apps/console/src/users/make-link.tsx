import { useState } from 'react';
import { useAction } from '../action.ts';
import { askAuthJson } from '../api.ts';
import type { MadeLink, User } from '../contracts.ts';
import { announce } from '../ui/announcer.tsx';
import { CopyField } from '../ui/copy.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Choices, FormDialog, TextField } from '../ui/form-dialog.tsx';
import { Notice } from '../ui/notice.tsx';
import { nameOf } from './describe-user.ts';

const types = [
  { value: 'magiclink', label: 'Sign-in link', hint: 'Whoever follows it is signed in as this user.' },
  { value: 'recovery', label: 'Recovery link', hint: 'The same, and your application asks for a new password.' },
] as const;

/** A link that lets the user in, to be handed over by hand instead of by a mail. */
export function MakeLink({ user, close }: { user: User; close: () => void }) {
  const [type, setType] = useState<(typeof types)[number]['value']>('magiclink');
  const [redirectTo, setRedirectTo] = useState('');
  const [made, setMade] = useState<MadeLink | null>(null);
  const making = useAction(async () => {
    const target = redirectTo.trim();
    setMade(await askAuthJson<MadeLink>('/admin/generate_link', { method: 'POST', json: { type, email: user.email, ...(target === '' ? {} : { redirect_to: target }) } }));
    announce('The link is made');
  });
  if (made !== null) return <Made link={made} user={user} close={close} />;
  return (
    <FormDialog title={`A link for ${nameOf(user)}`} yes="Make the link" busy="Making…" action={making} close={close}>
      <Choices legend="What for" options={types} value={type} change={setType} />
      <TextField label="Where it leads" type="url" placeholder="https://…" hint="Left empty, it leads to SITE_URL. Another address must be in GOTRUE_URI_ALLOW_LIST." value={redirectTo} change={setRedirectTo} />
    </FormDialog>
  );
}

function Made({ link, user, close }: { link: MadeLink; user: User; close: () => void }) {
  return (
    <Dialog title={`The link for ${nameOf(user)}`} close={close} isWide>
      <Notice tone="warn" title="Whoever has it gets in as this user.">
        <p>It is good once and for a limited time. No mail was sent: hand it over yourself. An earlier link or code no longer works.</p>
      </Notice>
      <dl className="copy-fields">
        <CopyField label="Link" value={link.action_link} />
        <CopyField label="Code" value={link.email_otp} note="For an application that asks for a code instead (verifyOtp)." />
      </dl>
      <footer className="dialog-foot">
        <button type="button" className="button button-primary" onClick={close}>Done</button>
      </footer>
    </Dialog>
  );
}
