import { useId, useState } from 'react';
import { useAction } from '../action.ts';
import { askJson } from '../api.ts';
import type { ApiKey } from '../contracts.ts';
import { announce } from '../ui/announcer.tsx';
import { CopyField } from '../ui/copy.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Choices, FormDialog, TextField } from '../ui/form-dialog.tsx';
import { Notice } from '../ui/notice.tsx';
import { expiryOf, type Lifetime, lifetimeInWords, lifetimes } from './describe-key.ts';

type Kind = 'secret' | 'publishable';

const kinds = [
  { value: 'secret', label: 'Secret', hint: 'For a server, a script or a colleague; never in a browser.' },
  { value: 'publishable', label: 'Publishable', hint: 'For a browser or an app: everybody may see it.' },
] as const;

/** A key of its own for each that needs one, so that one can be ended without the others. */
export function CreateKey({ close, made }: { close: () => void; made: () => void }) {
  const [name, setName] = useState('');
  const [kind, setKind] = useState<Kind>('secret');
  const [role, setRole] = useState<string | null>(null);
  const [lifetime, setLifetime] = useState<Lifetime>('never');
  const [key, setKey] = useState<(ApiKey & { readonly key: string }) | null>(null);
  const id = useId();
  const usual = kind === 'secret' ? 'service_role' : 'anon';
  const creating = useAction(async () => {
    const json = { name: name.trim(), kind, role: (role ?? usual).trim(), expires_at: expiryOf(lifetime, Date.now()) };
    setKey(await askJson<ApiKey & { readonly key: string }>('/keys/v1', { method: 'POST', json }));
    announce('The key is made');
    made();
  });
  if (key !== null) return <ShownOnce name={key.name} value={key.key} isSecret={key.kind === 'secret'} close={close} />;
  return (
    <FormDialog title="New key" yes="Make the key" busy="Making…" action={creating} close={close}>
      <TextField label="Name" hint="Who or what will use it, such as “nightly export”." value={name} change={setName} required maxLength={100} />
      <Choices legend="Kind" options={kinds} value={kind} change={setKind} />
      <TextField label="Role" hint="The PostgreSQL role that its requests act as. service_role sees everything; any other sees what its grants and policies allow." value={role ?? usual} change={setRole} required />
      <div className="field">
        <label htmlFor={id}>Runs out</label>
        <select id={id} className="input" value={lifetime} onChange={(event) => setLifetime(lifetimes.find((each) => each === event.target.value) ?? 'never')}>
          {lifetimes.map((each) => <option key={each} value={each}>{lifetimeInWords(each)}</option>)}
        </select>
      </div>
    </FormDialog>
  );
}

function ShownOnce({ name, value, isSecret, close }: { name: string; value: string; isSecret: boolean; close: () => void }) {
  return (
    <Dialog title={`The key “${name}”`} close={close} isWide>
      <Notice tone="warn" title="Copy it now: it is shown this once.">
        <p>{isSecret ? 'Only a digest of it is kept. Keep the key where secrets are kept, never in a browser or a repository.' : 'Only a digest of it is kept.'}</p>
      </Notice>
      <dl className="copy-fields">
        <CopyField label="Key" value={value} />
      </dl>
      <footer className="dialog-foot">
        <button type="button" className="button button-primary" onClick={close}>I have copied it</button>
      </footer>
    </Dialog>
  );
}
