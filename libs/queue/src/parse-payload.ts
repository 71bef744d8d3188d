import { jobs, type JobKind, type PayloadOf } from '@mainstay/domain';
import { jobRunFault } from '@mainstay/persistence';
import { validateSync } from 'class-validator';

/**
 * Makes a payload of what was stored; it may come from an older release.
 * @throws Fault that refuses the job, with each field that is wrong
 */
export function parsePayload<K extends JobKind>(kind: K, stored: unknown): PayloadOf<K> {
  const payload = Object.assign(new jobs[kind].payload(), stored);
  // Some payloads carry nothing and so have no rule: that is not what `forbidUnknownValues` fears.
  const wrong = validateSync(payload, { forbidUnknownValues: false });
  if (wrong.length > 0) throw jobRunFault('payload_not_valid', { details: wrong.flatMap(({ constraints }) => Object.values(constraints ?? {})) });
  return payload as PayloadOf<K>;
}
