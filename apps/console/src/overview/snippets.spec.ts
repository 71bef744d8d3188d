import type { Collection } from '../contracts.ts';
import { exampleCollection, snippets } from './snippets.ts';

const connection = { api_url: 'http://127.0.0.1:54321', publishable_key: 'sb_publishable_x', anon_key: 'y', database_url: 'postgresql://postgres:***@127.0.0.1:54322/postgres', version: '1' };
const collection = (name: string, ...roles: string[]): Collection => ({
  schema: 'public', name, kind: 'table', row_estimate: 0, has_row_security: true, policies: [{ name: 'p', command: 'SELECT', roles }], fields: [],
});

describe('snippets', () => {
  it('show a collection that a guest may read, if there is one', () => {
    expect(exampleCollection([collection('a', 'authenticated'), collection('b', 'anon')])).toEqual({ name: 'b', isReadable: true, isThere: true });
    expect(exampleCollection([collection('a', 'authenticated')])).toEqual({ name: 'a', isReadable: false, isThere: true });
    expect(exampleCollection([])).toMatchObject({ isThere: false });
  });

  it('are code, whatever a collection is called', () => {
    const [js, curl] = snippets(connection, `it's "it"`);
    expect(js?.steps[1]?.code).toContain(String.raw`.from('it\'s \"it\"')`);
    expect(curl?.steps[0]?.code).toContain("/rest/v1/it%27s%20%22it%22?limit=5' \\");
  });
});
