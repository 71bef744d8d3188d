import { useState } from 'react';
import { useAction } from '../action.ts';
import { askAuth } from '../api.ts';
import { announce } from '../ui/announcer.tsx';
import { FormDialog, TextField } from '../ui/form-dialog.tsx';

/** A mail with a link that makes an account of an address. */
export function InviteUser({ close, invited }: { close: () => void; invited: () => void }) {
  const [email, setEmail] = useState('');
  const [redirectTo, setRedirectTo] = useState('');
  const inviting = useAction(async () => {
    await askAuth(`/invite${redirectTo.trim() === '' ? '' : `?redirect_to=${encodeURIComponent(redirectTo.trim())}`}`, { method: 'POST', json: { email: email.trim() } });
    announce(`${email.trim()} was invited`);
    close();
    invited();
  });
  return (
    <FormDialog title="Invite somebody" yes="Send the invitation" busy="Sending…" action={inviting} close={close}>
      <p>They get a mail with a link that signs them in for the first time. Without an SMTP server it lands in the mailbox of this console.</p>
      <TextField label="E-mail address" type="email" value={email} change={setEmail} required />
      <TextField label="Where the link leads" type="url" placeholder="https://…" hint="Left empty, it leads to SITE_URL. Another address must be in GOTRUE_URI_ALLOW_LIST." value={redirectTo} change={setRedirectTo} />
    </FormDialog>
  );
}
