import type { Access } from '../contracts.ts';

const choices: readonly { access: Access; label: string; meaning: string }[] = [
  { access: 'service', label: 'Only the service key', meaning: 'Row-level security without a policy: closed to all but your servers and this console.' },
  { access: 'signed_in', label: 'Every signed-in user', meaning: 'A policy lets users with a session read every row. Nobody but the service key writes.' },
  { access: 'everyone', label: 'Everyone', meaning: 'A policy lets guests read, with the publishable key that is in every app. Nobody but the service key writes.' },
];

/** Who may read a new collection. It begins closed: opening is a decision, not a default. */
export function AccessChoice({ access, change }: { access: Access; change: (access: Access) => void }) {
  return (
    <fieldset className="choices choices-3">
      <legend>Who may read it</legend>
      {choices.map(({ access: value, label, meaning }) => (
        <label key={value} className="choice">
          <input type="radio" name="access" value={value} checked={access === value} onChange={() => change(value)} />
          <span className="choice-text">
            <strong>{label}</strong>
            <span>{meaning}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
