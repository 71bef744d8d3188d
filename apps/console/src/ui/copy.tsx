import { useEffect, useState } from 'react';
import { Icon } from './icons.tsx';
import { announce } from './announcer.tsx';

/** Copies a text; says so in its own label and to readers of the screen. */
export function CopyButton({ text, what, isBare = false }: { text: string; what: string; isBare?: boolean }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async (): Promise<void> => {
    const isDone = await copyText(text);
    setCopied(isDone);
    announce(isDone ? `${what} copied` : `${what} could not be copied: select it and copy it by hand`);
  };
  return (
    <button type="button" className={isBare ? 'button button-small button-bare copy' : 'button button-small copy'} onClick={() => void copy()} aria-label={`Copy ${what}`}>
      <Icon name={isCopied ? 'check' : 'copy'} />
      <span>{isCopied ? 'Copied' : 'Copy'}</span>
    </button>
  );
}

/** A value to be copied, with its name. */
export function CopyField({ label, value, note }: { label: string; value: string; note?: string }) {
  return (
    <div className="copy-field">
      <dt>{label}</dt>
      <dd>
        <code className="copy-value">{value}</code>
        <CopyButton text={value} what={label} isBare />
        {note === undefined ? null : <p className="hint">{note}</p>}
      </dd>
    </div>
  );
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (_noClipboard) {
    return copyBySelection(text);
  }
}

// Away from localhost a plain http page has no clipboard; the old command still works there.
function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  document.body.append(area);
  area.select();
  const isDone = document.execCommand('copy');
  area.remove();
  return isDone;
}
