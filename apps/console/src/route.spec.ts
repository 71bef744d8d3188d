import { links, parseRoute, splitCollection } from './route.ts';

describe('the address', () => {
  it.each([
    ['', { page: 'overview' }],
    ['#/nowhere', { page: 'overview' }],
    ['#/import', { page: 'import', id: null, into: null }],
    ['#/import/42', { page: 'import', id: '42', into: null }],
    [links.importInto({ schema: 'public', name: 'a b' }), { page: 'import', id: null, into: 'public.a b' }],
    ['#/data', { page: 'data', collection: null }],
    [links.rows({ schema: 'public', name: 'a/b?c' }), { page: 'data', collection: { schema: 'public', name: 'a/b?c' } }],
    ['#/data/public', { page: 'data', collection: null }],
    ['#/jobs/7', { page: 'jobs', id: '7' }],
    ['#/users', { page: 'users', id: null }],
    [links.user('a/b'), { page: 'users', id: 'a/b' }],
    [links.message('7', 'to=ada'), { page: 'mailbox', id: '7' }],
    [links.schedule('a/b'), { page: 'schedules', id: 'a/b', isEdited: false }],
    [links.editSchedule('7'), { page: 'schedules', id: '7', isEdited: true }],
    [links.endpoint('7', 'state=dead'), { page: 'webhooks', id: '7', delivery: null }],
    [links.delivery('7', '8-1'), { page: 'webhooks', id: '7', delivery: '8-1' }],
    ['#/exports', { page: 'exports' }],
    ['#/keys', { page: 'keys' }],
    ['#/sign-in', { page: 'sign-in' }],
    ['#/import/%E0%A4%A', { page: 'import', id: '%E0%A4%A' }],
  ])('%s', (hash, route) => expect(parseRoute(hash)).toMatchObject(route));

  it('carries its query', () => {
    const route = parseRoute(links.jobs('state=failed'));
    expect(route.page === 'jobs' && route.query.get('state')).toBe('failed');
  });

  it('names a collection as the api does', () => {
    expect(splitCollection('public.a.b')).toEqual({ schema: 'public', name: 'a.b' });
    expect(splitCollection('a')).toEqual({ schema: 'public', name: 'a' });
  });
});
