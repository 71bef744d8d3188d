import { readConnectionString } from './connection-string.ts';

describe('a connection string', () => {
  it.each<[string, object]>([
    ['postgres://me:p%40ss@db.example:5433/shop', { host: 'db.example', port: 5433, database: 'shop', user: 'me', password: 'p@ss' }],
    ['postgresql://me@db/shop?sslmode=require', { host: 'db', database: 'shop', user: 'me', ssl: { rejectUnauthorized: false } }],
    ['postgres://me:?pass?word?@db:5432/shop', { host: 'db', port: 5432, database: 'shop', user: 'me', password: '?pass?word?' }],
    ['postgres:///shop?host=/run/postgresql&user=me', { host: '/run/postgresql', database: 'shop', user: 'me' }],
    ['postgres://me@[::1]:5432/shop', { host: '::1', port: 5432, database: 'shop', user: 'me' }],
    ['postgres://me@one:1,two:2/shop', { host: 'one', port: 1, database: 'shop', user: 'me' }],
    ['postgresql://', {}],
    ["host=db port=5432 dbname=shop user=me password=x", { host: 'db', port: 5432, database: 'shop', user: 'me' }],
    ["host = /tmp  password='a b\\'c' user=me", { host: '/tmp', password: "a b'c", user: 'me' }],
  ])('%s', (text, connection) => {
    expect(readConnectionString(text)).toMatchObject(connection);
  });

  it('is never repeated where it is refused', () => {
    expect(() => readConnectionString('mysql://me:secret@db')).toThrow(/^PGRST_DB_URI is not right: [^]*$/);
    expect(() => readConnectionString('mysql://me:secret@db')).not.toThrow(/secret/);
  });
});
