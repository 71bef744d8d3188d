import { Section } from '../ui/page.tsx';
import type { HealthNow } from './use-health.ts';

const parts: readonly { name: string; label: string; duty: string }[] = [
  { name: 'database', label: 'Database', duty: 'PostgreSQL keeps all that must not be lost.' },
  { name: 'queue', label: 'Queue', duty: 'Carries job ids from the API to the worker.' },
  { name: 'worker', label: 'Worker', duty: 'Does the slow work: imports, upkeep.' },
  { name: 'schema_cache', label: 'Schema cache', duty: 'Knows the shape of your collections.' },
];

/** The parts of the house and how each is doing. */
export function HealthSection({ health: { health, isAway, mood, sentence } }: { health: HealthNow }) {
  return (
    <Section title="Health" id="health" aside={<span className={`health-dot health-${mood}`} role="status">{sentence}</span>}>
      <ul className="parts">
        {parts.map(({ name, label, duty }) => {
          const part = health?.parts[name];
          const state = part?.state ?? 'unknown';
          return (
            <li key={name} className={`part part-${state}`}>
              <p className="part-name">
                {label}
                <span className="part-state">{part === undefined ? (isAway ? 'unknown' : '…') : part.state === 'ok' ? 'well' : 'down'}</span>
              </p>
              <p className="part-note">{part?.note ?? duty}</p>
            </li>
          );
        })}
      </ul>
    </Section>
  );
}
