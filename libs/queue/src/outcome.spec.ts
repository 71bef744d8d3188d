import { Fault } from '@mainstay/domain';
import { ConnectionLost, LeaseLost } from '@mainstay/persistence';
import { JobCancelled, WorkerStopping } from './attempt.ts';
import { outcomeOf } from './outcome.ts';
import { TryAgain } from './try-again.ts';

const fault = (status: number): Fault => new Fault('code', { status, message: 'words' });

describe('what a handler throws', () => {
  it.each<[string, unknown, Error | null, object]>([
    ['a fault of the request refuses the job', fault(422), null, { kind: 'refused', error: { code: 'code', message: 'words', details: null, hint: null } }],
    ['a conflict refuses it too', fault(409), null, { kind: 'refused' }],
    ['a fault that says come again is tried again', fault(429), null, { kind: 'failed', error: { code: 'code' } }],
    ['a fault of ours is tried again', fault(503), null, { kind: 'failed', error: { code: 'code' } }],
    ['who knows when to come again is tried then', new TryAgain('busy', { afterSeconds: 7, code: 'busy' }), null, { kind: 'failed', afterSeconds: 7, error: { code: 'busy', message: 'busy', details: null, hint: null } }],
    ['a broken connection is tried again, and told in words', new ConnectionLost(new Error('10.0.0.7'), true), null, { kind: 'failed', error: { code: 'database_unreachable', message: 'The connection to the database broke' } }],
    ['what nobody meant is tried again, and its owner reads no internals', new Error('secret'), null, { kind: 'failed', error: { code: 'unexpected', message: 'The attempt met an error that nobody foresaw', details: { log_id: 'log' } } }],
    ['a lost lease says nothing about the job', new LeaseLost('j'), null, { kind: 'lost', reason: 'taken' }],
    ['a lost lease of a cancelled job is the cancelling', new LeaseLost('j'), new JobCancelled(), { kind: 'lost', reason: 'cancelled' }],
    ['whatever a cancelled job throws, it was cancelled', fault(422), new JobCancelled(), { kind: 'lost', reason: 'cancelled' }],
    ['whatever comes of a stopping worker goes back', new Error('aborted'), new WorkerStopping(), { kind: 'stopped' }],
    ['but a refusal stays one', fault(422), new WorkerStopping(), { kind: 'refused' }],
  ])('%s', (_, thrown, reason, outcome) => {
    const aborter = new AbortController();
    if (reason !== null) aborter.abort(reason);
    expect(outcomeOf(thrown, aborter.signal, 'log')).toMatchObject(outcome);
  });
});
