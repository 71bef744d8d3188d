import { bodyOf, draftOf, emptyDraft, missingIn, type ScheduleDraft } from './schedule-draft.ts';

const draft: ScheduleDraft = { ...emptyDraft('UTC'), name: ' tidy up ', function: 'public.tidy' };

describe('what is filled in about a schedule', () => {
  it.each([
    [{}, { name: 'tidy up', cron: '0 9 * * *', time_zone: 'UTC', function: 'public.tidy', arguments: {}, missed: 'once', overlap: 'skip' }],
    [{ arguments: '{"days": 30}' }, { arguments: { days: 30 } }],
    [{ kind: 'sql', sql: 'select 1' }, { sql: 'select 1' }],
    [{ kind: 'url', url: 'https://example.com', body: '[1]' }, { url: 'https://example.com', method: 'POST', body: [1] }],
    [{ kind: 'url', url: 'https://example.com', method: 'GET', body: '[1]' }, { method: 'GET', body: null }],
  ])('%j becomes the body', (more, body) => expect(bodyOf({ ...draft, ...more } as ScheduleDraft)).toMatchObject(body));

  it('comes back as it was', () => {
    const shown = { name: 'x', cron: '@daily', time_zone: 'UTC', kind: 'function', function: 'f', arguments: { a: 1 }, sql: null, url: null, method: null, body: null, missed: 'all', overlap: 'queue' };
    expect(bodyOf(draftOf(shown as never))).toEqual({ name: 'x', cron: '@daily', time_zone: 'UTC', function: 'f', arguments: { a: 1 }, missed: 'all', overlap: 'queue' });
  });

  it.each([
    [{ name: '' }, 'Give it a name.'],
    [{ cron: ' ' }, 'Say when it shall run.'],
    [{ function: '' }, 'Name the function that it shall call.'],
    [{ arguments: '[1]' }, 'The arguments must be a JSON object, such as {"days": 30}.'],
    [{ kind: 'sql' }, 'Write the SQL that it shall run.'],
    [{ kind: 'url', url: 'example' }, 'The URL must begin with https:// or http://.'],
    [{ kind: 'url', url: 'https://example.com', body: '{' }, 'The body must be JSON, or empty.'],
    [{}, null],
  ])('%j', (more, missing) => expect(missingIn({ ...draft, ...more } as ScheduleDraft)).toBe(missing));
});
