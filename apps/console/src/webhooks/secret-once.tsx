import { CopyField } from '../ui/copy.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Notice } from '../ui/notice.tsx';

/** A signing secret, the only time that it is shown. */
export function SecretOnce({ secret, isNew, close }: { secret: string; isNew: boolean; close: () => void }) {
  return (
    <Dialog title={isNew ? 'The endpoint’s secret' : 'The new secret'} close={close} isWide>
      <Notice tone="warn" title="Copy it now: it is shown this once.">
        <p>Give it to your server. With it the server checks the signature of what it is sent, by any library for Standard Webhooks.</p>
        {isNew ? null : <p>For some hours both secrets sign what is sent, so that your server can change over without missing anything.</p>}
      </Notice>
      <dl className="copy-fields">
        <CopyField label="Secret" value={secret} />
      </dl>
      <footer className="dialog-foot">
        <button type="button" className="button button-primary" onClick={close}>I have copied it</button>
      </footer>
    </Dialog>
  );
}
