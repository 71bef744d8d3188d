import { compile, makePlan, parse } from '@mainstay/dialect';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { guest, openShop, service, type Shop } from './shop-database.ts';

/** A workshop: clients with projects, tasks and people; buildings of factories; what is measured over time. */
const workshopSql = `
create table clients (id int primary key, name text);
create table projects (id int primary key, name text, client_id int references clients);
create table tasks (id int primary key, name text, project_id int references projects, parent_id int references tasks);
create table people (id int primary key, name text);
create table people_tasks (person_id int references people, task_id int references tasks, primary key (person_id, task_id));
create table badges (person_id int primary key references people, code text);
create table invoices (id int primary key, project_id int references projects, paid_by int references clients, sent_to int references clients, total numeric, sent_at timestamptz, terms jsonb);
create view open_projects as select id as number, name, client_id as owner from projects;
create view own_projects as with p as (select * from open_projects) select number, owner from p;
create materialized view project_names as select id, name, client_id from projects;
create table readings (place text, day date, primary key (place, day)) partition by list (place);
create table readings_north partition of readings for values in ('north');
create table "strange $ 名" ("a b" int primary key, "q""uote" text, "sl/ash" text, "ق" text, "😀" int);
create function first_task(projects) returns setof tasks rows 1 language sql stable as $$ select * from public.tasks where project_id = $1.id order by id limit 1 $$;
create function late_tasks(projects) returns setof tasks language sql stable as $$ select * from public.tasks where project_id = $1.id and id > 2 $$;
create function words(projects) returns tsvector language sql stable as $$ select to_tsvector('english', $1.name) $$;
create function projects_of(client int) returns setof projects language sql stable as $$ select * from public.projects where client_id = client $$;
create function project_list() returns table (pid int, pname text) language sql stable as $$ select id, name from public.projects $$;
create domain colour as int;
create function "json"(colour) returns json language sql immutable as $$ select to_json('#' || lpad(to_hex($1), 6, '0')) $$;
create function colour(text) returns colour language sql immutable as $$ select ('x' || lpad(ltrim($1, '#'), 8, '0'))::bit(32)::int::colour $$;
do $$ begin set client_min_messages = error; create cast (colour as json) with function "json"(colour) as implicit; create cast (text as colour) with function colour(text) as implicit; end $$;
create table paints (id int primary key, shade colour);
insert into clients values (1, 'Ada'), (2, 'Ben'), (3, 'Cy');
insert into projects values (1, 'Bridge', 1), (2, 'Tunnel', 1), (3, 'Tower', 2), (4, 'Orphan', null);
insert into tasks values (1, 'plan', 1, null), (2, 'dig', 1, 1), (3, 'plan', 2, null), (4, 'build', 3, 3);
insert into people values (1, 'Eve'), (2, 'Fay');
insert into people_tasks values (1, 1), (1, 2), (2, 2), (2, 4);
insert into badges values (1, 'E-1');
insert into invoices values (1, 1, 1, 1, 100, '2026-01-05T10:10:00Z', '{"days": 30}'), (2, 1, 1, 2, 300, '2026-01-05T23:40:00Z', null), (3, 2, 2, 1, 50, '2026-02-10T08:00:00Z', '[1, {"2": "two"}]'), (4, 3, 2, 2, 700, '2026-04-01T00:00:00Z', '{"-1": 5}');
insert into readings values ('north', '2026-01-01');
insert into "strange $ 名" values (1, 'it''s', 'a/b', 'ع', 7);
insert into paints values (1, 0), (2, 255), (3, 0);
refresh materialized view project_names;
grant all on all tables in schema public to anon, authenticated, service_role;
`;

let database: TestDatabase;
let shop: Shop;
beforeAll(async () => {
  database = await makeTestDatabase();
  shop = await openShop(database, { sql: workshopSql, aggregateCostLimit: 1000 });
}, 120_000);
afterAll(async () => {
  await shop.keeper.close();
  await database.close();
});

/** The SQL of the rows, without what makes the answer of them. */
function sqlOf(line: string): string {
  const { cache, options } = shop.keeper.current();
  const [path, query = ''] = line.split(/\?(.*)/s) as [string, string?];
  const plan = makePlan(parse({ method: 'GET', path, query, headers: {}, body: null }, options, { mayChooseTx: true }), cache, options);
  if (plan.kind === 'describe') throw new Error('OPTIONS has no statement');
  return compile(plan).main.text;
}

/** Request, a part of its SQL, rows. */
type Scenario = [string, string, unknown];

function scenarios(table: readonly Scenario[]): void {
  it.each(table)('%s', async (line, sql, rows) => {
    expect(sqlOf(line)).toContain(sql);
    expect((await shop.ask(line)).body).toEqual(rows);
  });
}

describe('relationships', () => {
  scenarios([
    ['/projects?select=id,clients(name)&id=eq.1', `row_to_json("e".*)`, [{ id: 1, clients: { name: 'Ada' } }]],
    ['/projects?select=id,c:client_id(name)&id=eq.4', `= "projects"."client_id"`, [{ id: 4, c: null }]],
    ['/clients?select=id,projects(id)&order=id', `coalesce(json_agg("e".*), '[]')`, [{ id: 1, projects: [{ id: 1 }, { id: 2 }] }, { id: 2, projects: [{ id: 3 }] }, { id: 3, projects: [] }]],
    ['/people?select=name,tasks(name)&id=eq.2', `"people_tasks" as "people_tasks_1"`, [{ name: 'Fay', tasks: [{ name: 'dig' }, { name: 'build' }] }]],
    ['/people?select=name,badges(code)&order=id', `row_to_json`, [{ name: 'Eve', badges: { code: 'E-1' } }, { name: 'Fay', badges: null }]],
    ['/tasks?select=id,parent_id(id),tasks(id)&id=in.(1,3)&order=id', `"tasks"."parent_id"`, [{ id: 1, parent_id: null, tasks: [{ id: 2 }] }, { id: 3, parent_id: null, tasks: [{ id: 4 }] }]],
    ['/open_projects?select=number,clients(name),tasks(id)&number=eq.1', `= "open_projects"."owner"`, [{ number: 1, clients: { name: 'Ada' }, tasks: [{ id: 1 }, { id: 2 }] }]],
    ['/own_projects?select=number&order=number&limit=1', `from "public"."own_projects"`, [{ number: 1 }]],
    ['/clients?select=id,open_projects(number)&id=eq.2', `"open_projects_1"."owner" = "clients"."id"`, [{ id: 2, open_projects: [{ number: 3 }] }]],
    ['/project_names?select=id,clients(name),tasks(name)&id=eq.3', `"public"."project_names"`, [{ id: 3, clients: { name: 'Ben' }, tasks: [{ name: 'build' }] }]],
    ['/projects?select=id,first_task(name),late_tasks(id)&order=id&limit=2', `"first_task"(("projects".*)::"public"."projects")`, [{ id: 1, first_task: { name: 'plan' }, late_tasks: [] }, { id: 2, first_task: { name: 'plan' }, late_tasks: [{ id: 3 }] }]],
    ['/rpc/projects_of?client=2&select=name,clients(name)', `from pgrst_source`, [{ name: 'Tower', clients: { name: 'Ben' } }]],
    ['/rpc/project_list?select=pname&order=pid.desc&limit=1', `"pname"`, [{ pname: 'Orphan' }]],
    ['/readings', `from "public"."readings"`, [{ place: 'north', day: '2026-01-01' }]],
    ['/invoices?select=id,payer:clients!paid_by(name),sent_to(name)&id=eq.2', `"clients_1_2"`, [{ id: 2, payer: { name: 'Ada' }, sent_to: { name: 'Ben' } }]],
  ]);

  it('a choice among several is put to the client', async () => {
    const { status, body } = await shop.ask('/invoices?select=clients(name)');
    expect(status).toBe(300);
    expect(body).toEqual({
      code: 'PGRST201',
      details: [
        { cardinality: 'many-to-one', embedding: 'invoices with clients', relationship: 'invoices_paid_by_fkey using invoices(paid_by) and clients(id)' },
        { cardinality: 'many-to-one', embedding: 'invoices with clients', relationship: 'invoices_sent_to_fkey using invoices(sent_to) and clients(id)' },
      ],
      hint: "Try changing 'clients' to one of the following: 'clients!invoices_paid_by_fkey', 'clients!invoices_sent_to_fkey'. Find the desired relationship in the 'details' key.",
      message: "Could not embed because more than one relationship was found for 'invoices' and 'clients'",
    });
  });

  it.each([
    ['/projects?select=client(name)', "Perhaps you meant 'clients' instead of 'client'."],
    ['/projects?select=Clients(name)', null],
    ['/projects?select=clients!nope(name)', null],
    ['/own_project_list?select=id', "Perhaps you meant the table 'public.own_projects'"],
    ['/readings_north', null],
  ])('%s is told what is near', async (line, hint) => {
    expect((await shop.ask(line)).body).toMatchObject({ hint });
  });
});

describe('presence of related rows', () => {
  scenarios([
    ['/clients?select=id,projects()&projects=is.null', `(exists (select 1`, [{ id: 3 }]],
    ['/projects?select=id,clients()&clients=not.is.null', ` where exists (select 1`, [{ id: 1 }, { id: 2 }, { id: 3 }]],
    ['/clients?select=id,projects()&or=(projects.is.null,id.eq.2)', `is not true or`, [{ id: 2 }, { id: 3 }]],
    ['/clients?select=id,projects!inner(id)&projects.offset=1', `offset $`, [{ id: 1, projects: [{ id: 2 }] }]],
    ['/clients?select=id,projects!inner(id)&projects.limit=0', `limit $`, []],
    ['/clients?select=id,projects(id,tasks())&projects.tasks=is.null&id=eq.1', `is not true`, [{ id: 1, projects: [] }]],
  ]);

  it.each([
    ['/clients?select=projects(id)&projects.limit=-1', '2201W'],
    ['/clients?select=projects(id)&projects.offset=-1', '2201X'],
    ['/clients?select=projects(id)&projects=eq.1', 'PGRST120'],
    ['/clients?projects=is.null', '42703'],
  ])('%s is refused', async (line, code) => {
    expect(await shop.ask(line)).toMatchObject({ status: 400, body: { code } });
  });
});

describe('fields', () => {
  scenarios([
    ['/projects?words=fts.bridge&select=id', `"projects"."words" @@ to_tsquery`, [{ id: 1 }]],
    ['/projects?name=plfts(english).towers&select=id', `to_tsvector('english', "projects"."name")`, [{ id: 3 }]],
    ['/invoices?select=terms->days,id&terms->days=eq.30', `->'days'`, [{ days: 30, id: 1 }]],
    ['/invoices?select=terms->1->>"2"&id=eq.3', `->'1'::int->>'2'`, [{ '2': 'two' }]],
    ['/invoices?select=terms->"-1"&id=eq.4', `->'-1'`, [{ '-1': 5 }]],
    ['/paints?select=id,shade&shade=eq.0000ff', `"paints"."shade" = public.colour`, [{ id: 2, shade: '#0000ff' }]],
    ['/paints?select=shade,count()&order=shade', `group by "paints"."shade"`, [{ shade: '#000000', count: 2 }, { shade: '#0000ff', count: 1 }]],
    [`/${encodeURIComponent('strange $ 名')}?select="q\\"uote",sl:"sl/ash",${encodeURIComponent('ق')},"${encodeURIComponent('😀')}"&"a%20b"=eq.1`, `"q""uote"`, [{ 'q"uote': "it's", sl: 'a/b', ق: 'ع', '😀': 7 }]],
  ]);
});

describe('groups', () => {
  scenarios([
    ['/invoices?select=total.sum(),...projects(name)&order=projects(name).desc', `order by "projects_1"."name" desc`, [{ sum: 50, name: 'Tunnel' }, { sum: 700, name: 'Tower' }, { sum: 400, name: 'Bridge' }]],
    ['/invoices?select=count(),projects(name,clients(name))&project_id=eq.1', `row_to_json("projects_1".*)::jsonb`, [{ count: 2, projects: { name: 'Bridge', clients: { name: 'Ada' } } }]],
    ['/invoices?select=n:count(),...projects(name,clients(name))&project_id=eq.1', `row_to_json("clients_2".*)::jsonb as "clients"`, [{ n: 2, name: 'Bridge', clients: { name: 'Ada' } }]],
    ['/invoices?select=n:count(),project_id::text&order=project_id', `order by 2`, [{ n: 2, project_id: '1' }, { n: 1, project_id: '2' }, { n: 1, project_id: '3' }]],
    ['/invoices?select=project_id,total.sum()&having=(total.sum().gte.100)&order=total.sum().desc', `group by 1 having (sum("invoices"."total") >= $1) order by sum("invoices"."total") desc`, [{ project_id: 3, sum: 700 }, { project_id: 1, sum: 400 }]],
    ['/invoices?select=project_id,t:total.sum()&having=(count().gt.1,not.or(total.max().lt.10,project_id.min().is.null))&order=t', `count(*) > $1 and not (`, [{ project_id: 1, t: 400 }]],
    ['/invoices?select=project_id&having=(count().eq.1)&order=count().asc,project_id.desc', `group by 1 having (count(*) = $1) order by count(*) asc`, [{ project_id: 3 }, { project_id: 2 }]],
    ['/projects?select=id,invoices(total.sum())&invoices.having=(count().gt.1)&order=id&limit=2', `having (count(*) > $`, [{ id: 1, invoices: [{ sum: 400 }] }, { id: 2, invoices: [] }]],
    ['/invoices?select=sent_at.bucket(1d)::date,count()&order=sent_at.bucket(1d)&limit=1', `date_trunc('day', timezone(current_setting('TimeZone')`, [{ bucket: '2026-01-05', count: 2 }]],
    ['/invoices?select=q:sent_at.bucket(1q)::date,total.sum()&order=q', `% 3`, [{ q: '2026-01-01', sum: 450 }, { q: '2026-04-01', sum: 700 }]],
    ['/invoices?select=w:sent_at::date.bucket(2w),count()&order=w.desc&limit=1', `date_bin('14 days'`, [{ w: '2026-03-23', count: 1 }]],
    ['/rpc/projects_of?client=1&select=client_id,n:count()&having=(count().gt.1)&order=n', `having (count(*) > $`, [{ client_id: 1, n: 2 }]],
    ['/invoices?select=h:sent_at.bucket(30min)&id=eq.2', `date_bin('1800 seconds'`, [{ h: '2026-01-05T23:30:00+00:00' }]],
  ]);

  it('a day begins at midnight of the zone that was asked for', async () => {
    const { body } = await shop.ask('/invoices?select=day:sent_at.bucket(1d),count()&sent_at=lt.2026-02-01&order=day', { headers: { prefer: 'timezone=Asia/Tokyo' } });
    expect(body).toEqual([{ day: '2026-01-05T00:00:00+09:00', count: 1 }, { day: '2026-01-06T00:00:00+09:00', count: 1 }]);
  });

  it('a total over groups counts groups', async () => {
    const { status, headers } = await shop.ask('/invoices?select=project_id,count()&having=(count().gt.0)&order=project_id&limit=2', { headers: { prefer: 'count=exact' } });
    expect({ status, range: headers['content-range'] }).toEqual({ status: 206, range: '0-1/3' });
  });

  it.each([
    ['/invoices?having=(id.gt.1)', 'PGRST100'],
    ['/invoices?having=(count().foo.1)', 'PGRST100'],
    ['/invoices?having=(count().gt.1', 'PGRST100'],
    ['/invoices?nope.having=(count().gt.1)', 'PGRST108'],
    ['/invoices?select=sent_at.bucket(1x)', 'PGRST100'],
    ['/invoices?select=sent_at.bucket(0d)', 'PGRST100'],
    ['/projects?select=name.bucket(1d)', 'PGRSTX20'],
  ])('%s is refused', async (line, code) => {
    expect(await shop.ask(line)).toMatchObject({ status: 400, body: { code } });
  });
});

describe('what an aggregate may cost', () => {
  beforeAll(() => database.admin.rows('create table heap as select i as id, i % 10 as kind from generate_series(1, 200000) i; analyze heap; grant select on heap to anon, service_role').then(() => shop.keeper.reload()));

  it('is asked of the planner before', async () => {
    expect(await shop.ask('/heap?select=kind,count()', { as: guest })).toMatchObject({ status: 400, body: { code: 'PGRSTX21', details: expect.stringMatching(/^The planner puts it at \d+, and 1000 is allowed/) } });
    expect((await shop.ask('/heap?select=id.max()', { as: guest, headers: { accept: 'application/x-ndjson' } })).status).toBe(400);
  });

  it('binds neither the service nor what has no groups, nor what is cheap', async () => {
    expect(await shop.ask('/heap?select=count()', { as: service })).toMatchObject({ body: [{ count: 200000 }] });
    expect(await shop.ask('/heap?select=id&limit=1', { as: guest })).toMatchObject({ status: 200 });
    for (let i = 0; i < 2; i += 1) expect(await shop.ask('/clients?select=count()', { as: guest })).toMatchObject({ body: [{ count: 3 }] });
  });
});
