import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { typesOfDatabase } from './database-types.ts';

const root = join(import.meta.dirname, '../../..');

let database: TestDatabase;
let types: string;

beforeAll(async () => {
  database = await makeTestDatabase();
  await database.admin.rows(`
    create schema annex;
    create type mood as enum ('calm', 'wild sea');
    create type place as (lat int, lon float8);
    create domain short as varchar(5) not null;
    create table ports (id int primary key, name text not null, at place);
    create table ships (id int generated always as identity primary key, name text not null, port_id int references ports, mood mood default 'calm', moods mood[], extra jsonb, tags text[] not null default '{}', short short, double int generated always as (1) stored);
    create table anchors (ship_id int primary key references ships, weight numeric);
    create table crew (ship_id int references ships, "full name" text, primary key (ship_id, "full name"));
    create table annex.sheds (id bigint primary key, port_id int references public.ports, mood public.mood);
    create view ship_names as select id, name, port_id from ships;
    create view ship_counts as select port_id, count(*) as ships from ships group by port_id;
    create function add(a int, b int default 1) returns int language sql immutable as $$ select a + b $$;
    create function add(a text) returns text language sql immutable as $$ select a $$;
    create function label(ships) returns text language sql stable as $$ select $1.name $$;
    create function home(ships) returns setof ports rows 1 language sql stable as $$ select * from public.ports where id = $1.port_id $$;
    create function ships_of(port int) returns setof ships language sql stable as $$ select * from public.ships where port_id = port $$;
    create function pairs() returns table(x int, y mood) language sql stable as $$ select 1, 'calm'::public.mood $$;
    create function nothing() returns void language sql as $$ select $$;`);
  types = await typesOfDatabase(database.admin, ['public', 'graphql_public', 'annex']);
});

afterAll(() => database.close());

/** What stands between two braces behind a name, without the space at the beginning of lines. */
function part(name: string, from = types): string {
  const at = from.indexOf(`\n${/^ */.exec(from.slice(from.search(new RegExp(`^ *${name}: `, 'm'))))![0]}${name}: `) + 1;
  const space = /^ */.exec(from.slice(at))![0];
  return from.slice(at, from.indexOf(`\n${space}}`, at)).replaceAll(/^ +/gm, '');
}

describe('the types of a database', () => {
  it('tell the release by which supabase-js chooses', () => {
    expect(part('__InternalSupabase')).toBe('__InternalSupabase: {\nPostgrestVersion: "14.5"');
  });

  it('tell rows, and what may be inserted and updated', () => {
    const ships = part('ships');
    expect(part('Row', ships)).toBe('Row: {\ndouble: number | null\nextra: Json | null\nid: number\nmood: Database["public"]["Enums"]["mood"] | null\nmoods: Database["public"]["Enums"]["mood"][] | null\nname: string\nport_id: number | null\nshort: string\ntags: string[]\nlabel: string | null');
    expect(part('Insert', ships)).toBe('Insert: {\ndouble?: never\nextra?: Json | null\nid?: never\nmood?: Database["public"]["Enums"]["mood"] | null\nmoods?: Database["public"]["Enums"]["mood"][] | null\nname: string\nport_id?: number | null\nshort: string\ntags?: string[]');
    expect(part('Update', ships)).toContain('name?: string\n');
  });

  it('tell relationships, one-to-one among them, and those to views', () => {
    const relationship = (name: string, columns: string, isOneToOne: boolean, relation: string, others: string): string => `{\nforeignKeyName: "${name}"\ncolumns: [${columns}]\nisOneToOne: ${isOneToOne}\nreferencedRelation: "${relation}"\nreferencedColumns: [${others}]\n},`;
    const flat = types.replaceAll(/^ +/gm, '');
    expect(flat).toContain(`Relationships: [\n${relationship('anchors_ship_id_fkey', '"ship_id"', true, 'ship_names', '"id"')}\n${relationship('anchors_ship_id_fkey', '"ship_id"', true, 'ships', '"id"')}\n]`);
    expect(flat).toContain(relationship('ships_port_id_fkey', '"port_id"', false, 'ports', '"id"'));
  });

  it('tell functions, also of several signatures, and what they give', () => {
    const flat = types.replaceAll(/^ +/gm, '');
    expect(flat).toContain('add:\n| {\nArgs: { a: number; b?: number }\nReturns: number\n}\n| {\nArgs: { a: string }\nReturns: string\n}');
    expect(flat).toContain('nothing: {\nArgs: never\nReturns: undefined\n}');
    expect(flat).toContain('pairs: {\nArgs: never\nReturns: {\nx: number\ny: Database["public"]["Enums"]["mood"]\n}[]\n}');
    expect(flat).toContain('SetofOptions: {\nfrom: "ships"\nto: "ports"\nisOneToOne: true\nisSetofReturn: true\n}');
    expect(flat).toContain('SetofOptions: {\nfrom: "*"\nto: "ships"\nisOneToOne: false\nisSetofReturn: true\n}');
  });

  it('tell enums, composite types and constants', () => {
    const flat = types.replaceAll(/^ +/gm, '');
    expect(flat).toContain('Enums: {\nmood: "calm" | "wild sea"\n}\nCompositeTypes: {\nplace: {\nlat: number | null\nlon: number | null\n}\n}');
    expect(flat).toContain('public: {\nEnums: {\nmood: ["calm", "wild sea"],\n},\n},');
    expect(flat).toMatch(/graphql_public: \{\nTables: \{\n\[_ in never\]: never\n\}/);
  });

  it('an unknown schema is named', async () => {
    await expect(typesOfDatabase(database.admin, ['nope'])).rejects.toThrow('There is no schema "nope" in the database.');
  });
});

it('supabase-js compiles against them, and finds what is wrong', async () => {
  const folder = mkdtempSync(join(root, 'node_modules/.cache/types-'));
  try {
    writeFileSync(join(folder, 'database.types.ts'), types);
    writeFileSync(join(folder, 'use.ts'), use);
    expect(await compile(join(folder, 'use.ts'))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);

const use = `
import { createClient } from '@supabase/supabase-js';
import { Constants, type Database, type Enums, type Tables, type TablesInsert, type TablesUpdate, type CompositeTypes } from './database.types.ts';

const client = createClient<Database>('http://localhost', 'key');
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => {};

export async function use(): Promise<void> {
  const ships = await client.from('ships').select('id, name, mood, label, ports(name), anchors(weight), crew("full name")').throwOnError();
  const ship = ships.data[0]!;
  same<typeof ship.ports, { name: string } | null>(true);
  same<typeof ship.anchors, { weight: number | null } | null>(true);
  same<typeof ship.mood, 'calm' | 'wild sea' | null>(true);
  same<typeof ship.label, string | null>(true);
  ship.crew.map((one) => one['full name'].length);
  await client.from('ships').insert({ name: 'x', short: 'y' });
  // @ts-expect-error the name is missing
  await client.from('ships').insert({ short: 'y' });
  // @ts-expect-error the identity is PostgreSQL's
  await client.from('ships').update({ id: 1 });
  // @ts-expect-error no such table
  client.from('nowhere');
  const views = await client.from('ship_names').select('name, anchors(weight)').throwOnError();
  same<(typeof views.data)[0]['name'], string | null>(true);
  const sum = await client.rpc('add', { a: 1 }).throwOnError();
  same<typeof sum.data, number>(true);
  const found = await client.rpc('ships_of', { port: 1 }).select('name, ports(name)').throwOnError();
  found.data.map(({ name }) => name.length);
  const sheds = await client.schema('annex').from('sheds').select('id, mood').throwOnError();
  same<(typeof sheds.data)[0], { id: number; mood: 'calm' | 'wild sea' | null }>(true);
}

same<Tables<'ports'>['name'], string>(true);
same<Tables<{ schema: 'annex' }, 'sheds'>['id'], number>(true);
same<TablesInsert<'ports'>['id'], number>(true);
same<TablesUpdate<'ports'>['id'], number | undefined>(true);
same<Enums<'mood'>, 'calm' | 'wild sea'>(true);
same<CompositeTypes<'place'>['lat'], number | null>(true);
same<(typeof Constants)['public']['Enums']['mood'], readonly ['calm', 'wild sea']>(true);
`;

async function compile(file: string): Promise<string[]> {
  const { default: ts } = await import('typescript');
  const program = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.Preserve,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: [],
  });
  return ts.getPreEmitDiagnostics(program).map(({ messageText, file, start }) => `${file?.fileName.split('/').at(-1) ?? ''}:${file === undefined ? '' : file.getLineAndCharacterOfPosition(start!).line + 1}: ${ts.flattenDiagnosticMessageText(messageText, '\n').slice(0, 500)}`);
}
