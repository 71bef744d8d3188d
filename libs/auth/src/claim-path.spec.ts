import { parseClaimPath } from './claim-path.ts';

const claims = { role: 'a', realm: { roles: ['other', 'app_admin', 7], 'my-key': 'k', list: [{ kind: 'x', name: 'one' }, { kind: 'y', name: 'two' }] }, 'https://e/x': { role: 'ns' } };

describe('the path to the role', () => {
  it.each<[string, unknown]>([
    // The older form
    ['.role', 'a'],
    ['.realm.roles[1]', 'app_admin'],
    ['.realm."my-key"', 'k'],
    ['."https://e/x".role', 'ns'],
    ['.realm.roles[?(@ == "other")]', 'other'],
    ['.realm.roles[?(@ != "other")]', 'app_admin'],
    ['.realm.roles[?(@ ^== "app_")]', 'app_admin'],
    ['.realm.roles[?(@ ==^ "min")]', 'app_admin'],
    ['.realm.roles[?(@ *== "the")]', 'other'],
    ['.realm.roles[9]', undefined],
    ['.none.role', undefined],
    // JSONPath
    ['$.role', 'a'],
    ['$.realm.roles[0]', 'other'],
    ['$.realm.roles[-2]', 'app_admin'],
    ["$.realm['my-key']", 'k'],
    ['$["https://e/x"].role', 'ns'],
    ['$.realm.roles[*]', 'other'],
    ['$.realm.roles[?@ == "app_admin"]', 'app_admin'],
    ['$.realm.roles[?(@ != "other")]', 'app_admin'],
    ['$.realm.roles[?search(@, "^app_")]', 'app_admin'],
    ['$.realm.list[?@.kind == "y"].name', 'two'],
    ['$.none[0]', undefined],
  ])('%s', (path, role) => {
    expect(parseClaimPath(path)(claims)).toEqual(role);
  });

  it.each(['role', '', '.', '.a b', '.a[?(@ == "x")].b', '$.a[', '$role', '$.a[?@ ~ 1]', '$.a[?search(@, "(")]'])('"%s" is refused in one sentence', (path) => {
    expect(() => parseClaimPath(path)).toThrow(/PGRST_JWT_ROLE_CLAIM_KEY/);
  });
});
